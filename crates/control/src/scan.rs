//! The answer to a `scan`: what arrived of each media while the daemon listened.

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A rate that was measured for less than this would be a guess, because packets come in bursts.
const MEASURABLE: Duration = Duration::from_millis(500);

/// The answer to a `scan`. It has the requested streams that the daemon can listen to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanAnswer {
    /// In the order of the request.
    pub streams: Vec<ScannedStream>,
}

/// The packets of a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScannedStream {
    /// The stream's name.
    pub name: String,
    /// Its media, in the order of its SDP file.
    pub media: Vec<ScannedMedia>,
}

/// The packets of a media, and where they arrive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScannedMedia {
    /// For people: `video H264`.
    pub media: String,
    /// Where its RTP arrives.
    pub from: Vec<String>,
    /// The packets.
    #[serde(flatten)]
    pub result: ScanResult,
}

/// The packets of a media.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanResult {
    /// How long the scan listened. JSON has this and all other times in milliseconds.
    #[serde(rename = "listened_ms", with = "millis")]
    pub listened: Duration,
    /// The senders of RTP with a payload type of the media, the busiest first.
    pub senders: Vec<Sender>,
    /// Payload types of RTP that came to the same port and that no SDP lists for it.
    #[serde(rename = "foreign_payload_types")]
    pub foreign: Vec<u8>,
    /// Datagrams that are neither RTP nor RTCP.
    pub strangers: u64,
    /// Datagrams that came faster than the scan read them. The network did not lose them.
    pub drops: u64,
    /// Why some of its sources could not be listened to.
    #[serde(rename = "deaf")]
    pub faults: Vec<ScanFault>,
}

/// An RTP stream that arrived: one SSRC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sender {
    /// Its synchronisation source.
    pub ssrc: u32,
    /// Where its last packet came from.
    pub address: SocketAddr,
    /// The payload types of its packets, in the order of arrival.
    pub payload_types: Vec<u8>,
    /// How many packets came.
    pub packets: u64,
    /// How many bytes of UDP payload came.
    pub bytes: u64,
    /// How many packets are missing in the sequence.
    pub lost: u64,
    /// When its first packet came, counted from the beginning of the scan.
    #[serde(rename = "first_ms", with = "millis")]
    pub first: Duration,
    /// When its last packet came.
    #[serde(rename = "last_ms", with = "millis")]
    pub last: Duration,
}

/// Why a source can't be listened to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "lowercase")]
pub enum ScanFault {
    /// A program on this host has the port, and only one program can have a unicast port.
    #[error("{0} is in use by a program on this host, which gets all that arrives there")]
    Busy(String),
    /// The port belongs to dynrelayd, which scans only for administrators.
    #[error("{0} belongs to dynrelayd; run the scan as root")]
    Reserved(String),
    /// No such interface, an address of another host, or a group that can't be joined.
    #[error("{0}")]
    Failed(String),
}

model::words! {
    /// Whether a media is active.
    pub enum Verdict {
        /// RTP with a payload type of the media came.
        Active = "active",
        /// None came.
        NotActive = "not-active",
        /// A program on this host has the port, so the scan can't tell.
        Busy = "busy",
        /// Only dynrelayd may listen there, and no administrator asked it.
        Reserved = "reserved",
        /// A source could not be listened to.
        Failed = "deaf",
    }
}

impl ScanResult {
    /// Whether the media is active.
    pub fn verdict(&self) -> Verdict {
        if !self.senders.is_empty() {
            Verdict::Active
        } else if self.faults.is_empty() {
            Verdict::NotActive
        } else if self.faults.iter().all(|fault| matches!(fault, ScanFault::Busy(_))) {
            Verdict::Busy
        } else if self.faults.iter().all(|fault| matches!(fault, ScanFault::Reserved(_))) {
            Verdict::Reserved
        } else {
            Verdict::Failed
        }
    }

    /// Whether RTP with a payload type of the media came.
    pub fn is_active(&self) -> bool {
        self.verdict() == Verdict::Active
    }

    /// The media's packets.
    pub fn packets(&self) -> u64 {
        self.senders.iter().map(|sender| sender.packets).sum()
    }

    /// The bytes of UDP payload in them.
    pub fn bytes(&self) -> u64 {
        self.senders.iter().map(|sender| sender.bytes).sum()
    }

    /// How many packets are missing in the sequences of its senders.
    pub fn lost(&self) -> u64 {
        self.senders.iter().map(|sender| sender.lost).sum()
    }

    /// The missing part of the sent packets, in hundredths of a percent.
    pub fn loss(&self) -> u64 {
        let (lost, sent) = (u128::from(self.lost()), u128::from(self.lost() + self.packets()));
        let loss = (lost * 10_000 + sent / 2).checked_div(sent).unwrap_or(0);
        u64::try_from(loss).unwrap_or(u64::MAX)
    }

    /// How long the first packet took to come.
    pub fn first(&self) -> Option<Duration> {
        self.senders.iter().map(|sender| sender.first).min()
    }

    /// The age of the last packet at the end of the scan.
    pub fn age(&self) -> Option<Duration> {
        let last = self.senders.iter().map(|sender| sender.last).max()?;
        Some(self.listened.saturating_sub(last))
    }

    /// Packets a second since the first; `None` if that time is too short to tell.
    pub fn packet_rate(&self) -> Option<u64> {
        self.per_second(self.packets())
    }

    /// Bits of UDP payload a second since the first packet; `None` if that time is too short.
    pub fn bit_rate(&self) -> Option<u64> {
        self.per_second(self.bytes().saturating_mul(8))
    }

    fn per_second(&self, total: u64) -> Option<u64> {
        let span = self.listened.saturating_sub(self.first()?);
        let millis = Some(span.as_millis()).filter(|_| span >= MEASURABLE)?;
        u64::try_from((u128::from(total) * 1000 + millis / 2) / millis).ok()
    }
}

/// A time in JSON, in milliseconds.
mod millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sender(packets: u64, lost: u64, first: u64, last: u64) -> Sender {
        Sender {
            ssrc: 7,
            address: "10.9.0.2:41000".parse().unwrap(),
            payload_types: vec![96],
            packets,
            bytes: packets * 1000,
            lost,
            first: Duration::from_millis(first),
            last: Duration::from_millis(last),
        }
    }

    #[test]
    fn rates_count_from_the_first_packet() {
        let senders = vec![sender(150, 0, 2000, 4900), sender(50, 2, 1000, 2000)];
        let result = ScanResult { listened: Duration::from_secs(5), senders, ..Default::default() };
        assert_eq!((result.packet_rate(), result.bit_rate()), (Some(50), Some(400_000)));
        assert_eq!((result.lost(), result.loss()), (2, 99));
        assert_eq!(result.first(), Some(Duration::from_secs(1)));
        assert_eq!(result.age(), Some(Duration::from_millis(100)));
        let hasty = ScanResult { listened: Duration::from_millis(1100), ..result };
        assert_eq!((hasty.packet_rate(), hasty.bit_rate()), (None, None));
        let silent = ScanResult::default();
        assert_eq!((silent.packet_rate(), silent.loss(), silent.age()), (None, 0, None));
    }

    #[test]
    fn a_fault_is_no_silence() {
        let busy = ScanFault::Busy("192.0.2.1:5004".into());
        let reserved = ScanFault::Reserved("192.0.2.1:5004".into());
        let failed = ScanFault::Failed("no".into());
        let verdict = |faults: &[&ScanFault], senders: &[Sender]| {
            let faults = faults.iter().copied().cloned().collect();
            ScanResult { faults, senders: senders.to_vec(), ..Default::default() }.verdict()
        };
        assert_eq!(verdict(&[], &[]), Verdict::NotActive);
        assert_eq!(verdict(&[&busy], &[]), Verdict::Busy);
        assert_eq!(verdict(&[&reserved], &[]), Verdict::Reserved);
        assert_eq!(verdict(&[&busy, &failed], &[]), Verdict::Failed);
        assert_eq!(verdict(&[&failed], &[sender(2, 0, 0, 0)]), Verdict::Active);
    }

    #[test]
    fn an_answer_survives_json() {
        let listened = Duration::from_secs(3);
        let senders = vec![sender(150, 1, 20, 2990)];
        let active = ScanResult { listened, senders, ..Default::default() };
        let faults = vec![ScanFault::Busy("x".into())];
        let busy = ScanResult { faults, ..Default::default() };
        let media = [active, busy].map(|result| ScannedMedia {
            media: "video".into(),
            from: vec!["192.0.2.1:5004".into()],
            result,
        });
        let stream = ScannedStream { name: "news".into(), media: media.into() };
        let answer = ScanAnswer { streams: vec![stream] };
        let json = serde_json::to_string(&answer).unwrap();
        assert!(json.contains(r#""from":["192.0.2.1:5004"],"listened_ms":3000,"#), "{json}");
        assert!(json.contains(r#""deaf":[{"busy":"x"}]"#), "{json}");
        assert_eq!(serde_json::from_str::<ScanAnswer>(&json).unwrap(), answer);
    }
}
