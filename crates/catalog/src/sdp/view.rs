//! How a session is shown: as JSON, and as one line.

use std::fmt;
use std::net::IpAddr;

use serde::{Serialize, Serializer};

use super::{Format, Media, Session};

#[derive(Serialize)]
struct SessionView<'a> {
    name: &'a str,
    media: Vec<MediaView<'a>>,
}

#[derive(Serialize)]
struct MediaView<'a> {
    kind: &'a str,
    port: u16,
    ports: u16,
    addresses: Vec<IpAddr>,
    address_count: u16,
    source: Option<IpAddr>,
    formats: &'a [Format],
}

impl Serialize for Session {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let media = self.media.iter().map(|media| MediaView {
            kind: &media.kind,
            port: media.port,
            ports: media.ports,
            addresses: media.connections.iter().map(|c| c.address).collect(),
            address_count: media.address_count(),
            source: media.allowed_sender(),
            formats: &media.formats,
        });
        SessionView { name: &self.name, media: media.collect() }.serialize(serializer)
    }
}

/// `audio:5432/1@239.1.2.3;video:5434/1@239.1.2.3`, with ` n=3` for a count of addresses and
/// ` ssm=…` for a source filter.
impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, media) in self.media.iter().enumerate() {
            write!(f, "{}{media}", if index == 0 { "" } else { ";" })?;
            if media.source_filters != self.source_filters {
                media.source_filters.iter().try_for_each(|filter| write!(f, " ssm={filter}"))?;
            }
        }
        self.source_filters.iter().try_for_each(|filter| write!(f, " ssm={filter}"))
    }
}

impl fmt::Display for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addresses: Vec<String> =
            self.connections.iter().map(|c| c.address.to_string()).collect();
        let addresses = if addresses.is_empty() { "-".into() } else { addresses.join(",") };
        write!(f, "{}:{}/{}@{addresses}", self.kind, self.port, self.ports)?;
        match self.address_count() {
            1 => Ok(()),
            count => write!(f, " n={count}"),
        }
    }
}
