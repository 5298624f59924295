//! What a scan has to say of one media.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::deaf::Deaf;
use crate::sender::Sender;

/// A rate that was measured for less than this would be a guess: packets come in bursts.
const MEASURABLE: Duration = Duration::from_millis(500);

/// What was heard of one media.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard {
    /// How long it was listened to; in JSON to the millisecond, as all times.
    #[serde(rename = "listened_ms", with = "millis")]
    pub listened: Duration,
    /// Who sent RTP with a payload type of the media, the busiest first.
    pub senders: Vec<Sender>,
    /// Payload types of RTP that came to the same port and that no SDP lists for it.
    #[serde(rename = "foreign_payload_types")]
    pub foreign: Vec<u8>,
    /// Datagrams that are neither RTP nor RTCP.
    pub strangers: u64,
    /// Datagrams that came faster than they were read: lost here, not on the way.
    pub drops: u64,
    /// Sources that could not be listened to, and why.
    pub deaf: Vec<Deaf>,
}

/// The answer to a scan's question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// RTP with a payload type of the media came.
    Active,
    /// None came.
    NotActive,
    /// A source's port is in use on this host, so that nobody else can tell.
    Busy,
    /// It is dynrelayd's to listen, and it was not asked by an administrator.
    Reserved,
    /// A source could not be listened to.
    Deaf,
}

impl Heard {
    /// The answer.
    pub fn verdict(&self) -> Verdict {
        if !self.senders.is_empty() {
            Verdict::Active
        } else if self.deaf.is_empty() {
            Verdict::NotActive
        } else if self.deaf.iter().all(|deaf| matches!(deaf, Deaf::Busy(_))) {
            Verdict::Busy
        } else if self.deaf.iter().all(|deaf| matches!(deaf, Deaf::Reserved(_))) {
            Verdict::Reserved
        } else {
            Verdict::Deaf
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

    /// What is missing of what was sent, in hundredths of a percent.
    pub fn loss(&self) -> u64 {
        let (lost, sent) = (u128::from(self.lost()), u128::from(self.lost() + self.packets()));
        let loss = (lost * 10_000 + sent / 2).checked_div(sent).unwrap_or(0);
        u64::try_from(loss).unwrap_or(u64::MAX)
    }

    /// How long the first packet took to come.
    pub fn first(&self) -> Option<Duration> {
        self.senders.iter().map(|sender| sender.first).min()
    }

    /// How long ago the last packet came, as the listening ended.
    pub fn age(&self) -> Option<Duration> {
        let last = self.senders.iter().map(|sender| sender.last).max()?;
        Some(self.listened.saturating_sub(last))
    }

    /// Packets a second since the first; `None` if that is too short a time to tell.
    pub fn packet_rate(&self) -> Option<u64> {
        self.per_second(self.packets())
    }

    /// Bits of UDP payload a second since the first packet; `None` if that is too short a time.
    pub fn bit_rate(&self) -> Option<u64> {
        self.per_second(self.bytes().saturating_mul(8))
    }

    fn per_second(&self, total: u64) -> Option<u64> {
        let span = self.listened.saturating_sub(self.first()?);
        let millis = Some(span.as_millis()).filter(|_| span >= MEASURABLE)?;
        u64::try_from((u128::from(total) * 1000 + millis / 2) / millis).ok()
    }
}

/// A time in JSON.
pub(crate) mod millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
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
        let heard = Heard { listened: Duration::from_secs(5), senders, ..Heard::default() };
        assert_eq!((heard.packet_rate(), heard.bit_rate()), (Some(50), Some(400_000)));
        assert_eq!((heard.lost(), heard.loss()), (2, 99));
        assert_eq!(heard.first(), Some(Duration::from_secs(1)));
        assert_eq!(heard.age(), Some(Duration::from_millis(100)));
        let hasty = Heard { listened: Duration::from_millis(1100), ..heard };
        assert_eq!((hasty.packet_rate(), hasty.bit_rate()), (None, None));
        let silent = Heard::default();
        assert_eq!((silent.packet_rate(), silent.loss(), silent.age()), (None, 0, None));
    }

    #[test]
    fn whoever_could_not_listen_does_not_say_that_it_is_silent() {
        let busy = Deaf::Busy("192.0.2.1:5004".into());
        let reserved = Deaf::Reserved("192.0.2.1:5004".into());
        let failed = Deaf::Failed("no".into());
        let verdict = |deaf: &[&Deaf], senders: &[Sender]| {
            let deaf = deaf.iter().copied().cloned().collect();
            Heard { deaf, senders: senders.to_vec(), ..Heard::default() }.verdict()
        };
        assert_eq!(verdict(&[], &[]), Verdict::NotActive);
        assert_eq!(verdict(&[&busy], &[]), Verdict::Busy);
        assert_eq!(verdict(&[&reserved], &[]), Verdict::Reserved);
        assert_eq!(verdict(&[&busy, &failed], &[]), Verdict::Deaf);
        assert_eq!(verdict(&[&failed], &[sender(2, 0, 0, 0)]), Verdict::Active);
    }
}
