//! What is listened for.

use catalog::sdp::Format;
use catalog::{Problem, Stream};
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
        let medias = stream.session.media.iter().zip(stream.sources()?);
        Ok(medias
            .map(|(media, sources)| Self {
                stream: stream.name.clone(),
                label: media.label(),
                sources: sources.into_iter().map(source).collect(),
                formats: media.formats.clone(),
            })
            .collect())
    }

    /// Whether packets of this payload type are its own.
    pub(crate) fn lists(&self, payload_type: u8) -> bool {
        self.formats.iter().any(|format| format.pt == payload_type)
    }
}

/// The data plane knows nothing of catalogues, and has its own word for the same thing.
fn source(source: &catalog::Source) -> Source {
    let catalog::Source { address, port, sender, interface } = source.clone();
    Source { address, port, sender, interface }
}
