//! The media that a scan listens to.

use catalog::sdp::Format;
use catalog::{Pair, Place, Problem, Replica, Run, Stream};
use forward::Source;

/// One media of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// The stream's name. Its media may share a port.
    pub stream: String,
    /// For people: `video H264`.
    pub label: String,
    /// Where its RTP arrives. A media of several layers has several sources.
    pub sources: Vec<Source>,
    /// Its formats, by payload type.
    pub formats: Vec<Format>,
}

impl Media {
    /// The media of a stream, in order. The error is the fault of its SDP file.
    pub fn of(stream: &Stream) -> Result<Vec<Self>, &Problem> {
        let media_list = stream.media.iter().zip(stream.sources()?);
        Ok(media_list
            .map(|(media, sources)| Self {
                stream: stream.name.clone(),
                label: media.label(),
                sources: sources.into_iter().map(source).collect(),
                formats: media.formats.clone(),
            })
            .collect())
    }

    /// The media of a stream as its replica in a group carries them, if it has one that always runs:
    /// for a scan that can't have the stream's own ports.
    pub fn of_replica(stream: &Stream) -> Option<Vec<Self>> {
        let in_group =
            |replica: &&Replica| replica.place == Place::Group && replica.run == Run::Always;
        let replica = stream.replicas.iter().find(in_group)?;
        let copied = |own: &Source| {
            let of = |pair: &&Pair| source(&pair.rtp.source) == *own;
            let path = &replica.pairs.iter().find(of)?.rtp;
            let interface = path.multicast.as_ref().and_then(|one| one.interface.as_deref());
            let interface = interface.map(str::to_owned);
            let (address, port) = (path.target.ip(), path.target.port());
            Some(Source {
                address,
                port,
                senders: Vec::new(),
                peer: None,
                interface,
                named: own.named,
            })
        };
        let mut media_list = Self::of(stream).ok()?;
        for media in &mut media_list {
            media.sources = media.sources.iter().map(copied).collect::<Option<_>>()?;
        }
        Some(media_list)
    }

    /// Where its RTP arrives, for people.
    pub fn from(&self) -> Vec<String> {
        self.sources.iter().map(ToString::to_string).collect()
    }

    /// Whether packets of this payload type belong to it.
    pub(crate) fn lists(&self, payload_type: u8) -> bool {
        self.formats.iter().any(|format| format.pt == payload_type)
    }
}

/// The data plane has a type of its own, since it knows no catalogue.
fn source(source: &catalog::Source) -> Source {
    Source {
        address: source.address,
        port: source.port,
        senders: source.senders.to_vec(),
        peer: None,
        interface: source.interface.as_deref().map(str::to_owned),
        named: source.named,
    }
}
