//! Why a source can't be listened to.

use std::io;

use forward::{OpenError, Source};
use serde::{Deserialize, Serialize};

/// Why a source can't be listened to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "lowercase")]
pub enum Deaf {
    /// A program on this host has its port, and unicast can't be shared.
    #[error("{0} is in use by a program on this host, which gets all that arrives there")]
    Busy(String),
    /// It is dynrelayd's, which listens for administrators only.
    #[error(
        "only dynrelayd may listen at {0} while it runs, and it tells only root and its own user \
         what comes there: run the scan as root"
    )]
    Reserved(String),
    /// No such interface, an address of another host, a group that can't be joined.
    #[error("{0}")]
    Failed(String),
}

impl Deaf {
    pub(crate) fn new(source: &Source, error: &OpenError) -> Self {
        match error {
            OpenError::Source { error, .. } if is_taken(source, error) => {
                Self::Busy(source.to_string())
            }
            error => Self::Failed(error.to_string()),
        }
    }
}

/// Many may listen to a group, so that there the same error has another cause.
fn is_taken(source: &Source, error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrInUse && !source.address.is_multicast()
}
