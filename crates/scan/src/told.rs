//! What dynrelayd tells of streams that it was asked to listen to.

use serde::{Deserialize, Serialize};

use crate::heard::Heard;
use crate::media::Media;

/// The answer to a `scan`: the streams of these that dynrelayd can listen to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// In the order in which they were asked for.
    pub streams: Vec<ToldStream>,
}

/// A stream that was listened to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldStream {
    /// The stream's name.
    pub name: String,
    /// Its medias, in order.
    pub media: Vec<ToldMedia>,
}

/// A media that was listened to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldMedia {
    /// For people: `video H264`.
    pub media: String,
    /// Where its RTP arrives.
    pub from: Vec<String>,
    /// What was heard.
    #[serde(flatten)]
    pub heard: Heard,
}

impl Told {
    /// What was heard of each of these medias, which are of any streams, but stream by stream.
    pub fn new(medias: &[Media], heard: Vec<Heard>) -> Self {
        let told = medias.iter().zip(heard).map(|(media, heard)| {
            let from = media.sources.iter().map(ToString::to_string).collect();
            (&media.stream, ToldMedia { media: media.label.clone(), from, heard })
        });
        let mut streams: Vec<ToldStream> = Vec::new();
        for (name, media) in told {
            match streams.last_mut().filter(|last| last.name == *name) {
                Some(last) => last.media.push(media),
                None => streams.push(ToldStream { name: name.clone(), media: vec![media] }),
            }
        }
        Self { streams }
    }
}

impl ToldStream {
    /// Whether these are the medias that were listened to: the two catalogues may differ.
    pub fn is_of(&self, medias: &[Media]) -> bool {
        let from = |media: &Media| media.sources.iter().map(ToString::to_string).collect();
        let own: Vec<Vec<String>> = medias.iter().map(from).collect();
        self.media.iter().map(|media| &media.from).eq(&own)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use forward::Source;

    use super::*;
    use crate::{Deaf, Sender};

    fn media(stream: &str, port: u16) -> Media {
        let address = "192.0.2.1".parse().unwrap();
        let source = Source { address, port, sender: None, interface: None };
        let label = "video H264".into();
        Media { stream: stream.into(), label, sources: vec![source], formats: vec![] }
    }

    #[test]
    fn what_is_told_is_understood() {
        let sender = Sender {
            ssrc: 7,
            address: "10.9.0.2:41000".parse().unwrap(),
            payload_types: vec![96],
            packets: 150,
            bytes: 150_000,
            lost: 1,
            first: Duration::from_millis(20),
            last: Duration::from_millis(2990),
        };
        let listened = Duration::from_secs(3);
        let active = Heard { listened, senders: vec![sender], ..Heard::default() };
        let deaf = Heard { deaf: vec![Deaf::Busy("x".into())], ..Heard::default() };
        let medias = [media("news", 5004), media("news", 5006), media("sport", 5004)];
        let told = Told::new(&medias, vec![active, deaf, Heard::default()]);
        assert_eq!(told.streams.iter().map(|one| one.media.len()).collect::<Vec<_>>(), [2, 1]);
        let json = serde_json::to_string(&told).unwrap();
        assert!(json.contains(r#""from":["192.0.2.1:5004"],"listened_ms":3000,"#), "{json}");
        assert!(json.contains(r#""deaf":[{"busy":"x"}]"#), "{json}");
        assert_eq!(serde_json::from_str::<Told>(&json).unwrap(), told);
        assert!(told.streams[0].is_of(&medias[..2]) && !told.streams[0].is_of(&medias[..1]));
        assert!(!told.streams[1].is_of(&medias[1..2]));
    }
}
