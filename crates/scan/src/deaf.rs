//! Why a source can't be listened to.

use std::io;

use forward::{OpenError, Source};

/// Why a source can't be listened to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Deaf {
    /// A program on this host has its port, and unicast can't be shared: most often dynrelayd, which
    /// relays it.
    #[error("{0} is in use by a program on this host, which gets all that arrives there")]
    Busy(Source),
    /// No such interface, an address of another host, a group that can't be joined.
    #[error("{0}")]
    Failed(String),
}

impl Deaf {
    pub(crate) fn new(source: &Source, error: &OpenError) -> Self {
        match error {
            OpenError::Source { error, .. } if is_taken(source, error) => {
                Self::Busy(source.clone())
            }
            error => Self::Failed(error.to_string()),
        }
    }
}

/// Many may listen to a group, so that there the same error has another cause.
fn is_taken(source: &Source, error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrInUse && !source.address.is_multicast()
}
