//! How a media is encoded: payload types, `a=rtpmap` and `a=fmtp`.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use super::line::number;

/// A payload type of an `m=` line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Format {
    /// The RTP payload type, 0 to 127.
    pub pt: u8,
    /// The codec's name, from `a=rtpmap` or RFC 3551; none if neither says.
    pub codec: Option<String>,
    /// The RTP clock in Hz; none if nothing says.
    pub clock: Option<u32>,
    /// What follows the clock: for audio the number of channels.
    #[serde(skip)]
    pub params: Option<String>,
    /// What follows the payload type in `a=fmtp`.
    #[serde(skip)]
    pub fmtp: Option<String>,
}

impl Format {
    /// A payload type with what RFC 3551 says about it.
    pub(super) fn of(pt: u8) -> Self {
        let known = static_type(pt);
        Self {
            pt,
            codec: known.map(|(codec, ..)| codec.to_owned()),
            clock: known.map(|(_, clock, _)| clock),
            params: known.and_then(|(.., channels)| channels).map(str::to_owned),
            fmtp: None,
        }
    }

    /// Takes over an `a=rtpmap`. One without a clock is met in the wild: the codec counts, and
    /// the clock stays unknown.
    pub(super) fn map(&mut self, encoding: &str) {
        let mut parts = encoding.splitn(3, '/').map(str::trim);
        let mut next = || parts.next().filter(|part| !part.is_empty()).map(str::to_owned);
        self.codec = next();
        self.clock = next().and_then(|clock| number(&clock));
        self.params = next();
    }

    /// What `a=fmtp` says, item by item: their order and the space between them mean nothing.
    pub(crate) fn parameters(&self) -> BTreeSet<&str> {
        let items = self.fmtp.iter().flat_map(|fmtp| fmtp.split(';'));
        items.map(str::trim).filter(|item| !item.is_empty()).collect()
    }

    /// Whether both mean the same packets: payload type, codec and clock.
    pub fn fits(&self, other: &Self) -> bool {
        let codecs = match (&self.codec, &other.codec) {
            (Some(one), Some(two)) => one.eq_ignore_ascii_case(two),
            (one, two) => one == two,
        };
        codecs && self.pt == other.pt && self.clock == other.clock
    }
}

/// `H264/90000 pt 96`
impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(codec) = &self.codec {
            f.write_str(codec)?;
            if let Some(clock) = self.clock {
                write!(f, "/{clock}")?;
            }
            f.write_str(" ")?;
        }
        write!(f, "pt {}", self.pt)
    }
}

/// The static payload types of RFC 3551, tables 4 and 5: codec, clock, channels.
fn static_type(pt: u8) -> Option<(&'static str, u32, Option<&'static str>)> {
    let audio = |codec, clock| Some((codec, clock, Some("1")));
    let video = |codec| Some((codec, 90_000, None));
    match pt {
        0 => audio("PCMU", 8000),
        3 => audio("GSM", 8000),
        4 => audio("G723", 8000),
        5 => audio("DVI4", 8000),
        6 => audio("DVI4", 16_000),
        7 => audio("LPC", 8000),
        8 => audio("PCMA", 8000),
        9 => audio("G722", 8000),
        10 => Some(("L16", 44_100, Some("2"))),
        11 => audio("L16", 44_100),
        12 => audio("QCELP", 8000),
        13 => audio("CN", 8000),
        14 => Some(("MPA", 90_000, None)),
        15 => audio("G728", 8000),
        16 => audio("DVI4", 11_025),
        17 => audio("DVI4", 22_050),
        18 => audio("G729", 8000),
        25 => video("CelB"),
        26 => video("JPEG"),
        28 => video("nv"),
        31 => video("H261"),
        32 => video("MPV"),
        33 => video("MP2T"),
        34 => video("H263"),
        _ => None,
    }
}
