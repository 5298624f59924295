//! What is listened for.

use catalog::sdp::Format;
use catalog::{Pair, Place, Problem, Replica, Run, Stream};
use forward::Source;

/// One media of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// The stream's name. What a port gets for one media of a stream is no stranger to the others.
    pub stream: String,
    /// For people: `video H264`.
    pub label: String,
    /// Where its RTP arrives; several sources for a media of several layers.
    pub sources: Vec<Source>,
    /// What its packets may be, by their payload types.
    pub formats: Vec<Format>,
}

impl Media {
    /// The medias of a stream, in order. An error is what is wrong with the stream's SDP file.
    pub fn of(stream: &Stream) -> Result<Vec<Self>, &Problem> {
        let medias = stream.media.iter().zip(stream.sources()?);
        Ok(medias
            .map(|(media, sources)| Self {
                stream: stream.name.clone(),
                label: media.label(),
                sources: sources.into_iter().map(source).collect(),
                formats: media.formats.clone(),
            })
            .collect())
    }

    /// The medias of a stream as its replica in a group carries them, if it has one that always
    /// runs: for when a program on this host has the ports that it arrives on.
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
            Some(Source { address, port, sender: None, interface })
        };
        let mut medias = Self::of(stream).ok()?;
        for media in &mut medias {
            media.sources = media.sources.iter().map(copied).collect::<Option<_>>()?;
        }
        Some(medias)
    }

    /// Whether packets of this payload type are its own.
    pub(crate) fn lists(&self, payload_type: u8) -> bool {
        self.formats.iter().any(|format| format.pt == payload_type)
    }
}

/// The data plane knows nothing of catalogues, and has its own word for the same thing.
fn source(source: &catalog::Source) -> Source {
    let catalog::Source { address, port, sender, .. } = *source;
    Source { address, port, sender, interface: source.interface.as_deref().map(str::to_owned) }
}
