//! How a media is encoded: payload types and `a=rtpmap`.

use std::fmt;

use super::line::number;

/// The kind of a media and the formats of its packets. Many streams of a catalogue share one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MediaFormat {
    /// `video`, `audio`, `application`, …
    pub kind: String,
    /// Payload types in the order of preference.
    pub formats: Vec<Format>,
    /// `a=rtcp-mux`: RTCP travels on the RTP port (RFC 5761).
    pub rtcp_mux: bool,
    /// Whether it is SRTP: `RTP/SAVP` or `RTP/SAVPF` (RFC 3711, RFC 5124).
    pub secure: bool,
}

impl MediaFormat {
    /// The kind, and the first codec if it is known, for people: `video H264`.
    pub fn label(&self) -> String {
        match self.formats.first().and_then(|format| format.codec.as_deref()) {
            Some(codec) => format!("{} {codec}", self.kind),
            None => self.kind.clone(),
        }
    }
}

/// `video H264/90000 pt 96`
impl fmt::Display for MediaFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let formats: Vec<String> = self.formats.iter().map(Format::to_string).collect();
        write!(f, "{} {}", self.kind, formats.join(", "))
    }
}

/// A payload type of an `m=` line.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Format {
    /// The RTP payload type, 0 to 127.
    pub pt: u8,
    /// The codec's name, from `a=rtpmap` or RFC 3551; none if neither names one.
    pub codec: Option<String>,
    /// The RTP clock in Hz; none if it is not known.
    pub clock: Option<u32>,
    /// How many channels audio has: the number after the clock, 1 if it is missing (RFC 8866, 6.6).
    pub channels: u16,
}

impl Format {
    /// A payload type with what RFC 3551 says about it.
    pub fn of(pt: u8) -> Self {
        let (codec, clock) = static_type(pt).unzip();
        // L16 has two static types, and this one is stereo.
        let channels = if pt == 10 { 2 } else { 1 };
        Self { pt, codec: codec.map(str::to_owned), clock, channels }
    }

    /// Applies an `a=rtpmap`. Some files name no clock: then the codec counts, and the clock stays
    /// unknown.
    pub fn map(&mut self, encoding: &str) {
        let mut parts = encoding.splitn(3, '/').map(str::trim);
        let mut next = || parts.next().filter(|part| !part.is_empty());
        self.codec = next().map(str::to_owned);
        self.clock = next().and_then(number);
        self.channels = next().and_then(number).unwrap_or(1);
    }

    /// Whether both mean the same packets: payload type, codec, clock and channels.
    pub fn fits(&self, other: &Self) -> bool {
        let codecs = match (&self.codec, &other.codec) {
            (Some(one), Some(two)) => one.eq_ignore_ascii_case(two),
            (one, two) => one == two,
        };
        let numbers = |format: &Self| (format.pt, format.clock, format.channels);
        codecs && numbers(self) == numbers(other)
    }
}

/// `H264/90000 pt 96`, `L24/48000/2 pt 97`
impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(codec) = &self.codec {
            f.write_str(codec)?;
            if let Some(clock) = self.clock {
                write!(f, "/{clock}")?;
            }
            if self.channels != 1 {
                write!(f, "/{}", self.channels)?;
            }
            f.write_str(" ")?;
        }
        write!(f, "pt {}", self.pt)
    }
}

/// The static payload types of RFC 3551, tables 4 and 5: codec and clock.
fn static_type(pt: u8) -> Option<(&'static str, u32)> {
    Some(match pt {
        0 => ("PCMU", 8000),
        3 => ("GSM", 8000),
        4 => ("G723", 8000),
        5 => ("DVI4", 8000),
        6 => ("DVI4", 16_000),
        7 => ("LPC", 8000),
        8 => ("PCMA", 8000),
        9 => ("G722", 8000),
        10 | 11 => ("L16", 44_100),
        12 => ("QCELP", 8000),
        13 => ("CN", 8000),
        14 => ("MPA", 90_000),
        15 => ("G728", 8000),
        16 => ("DVI4", 11_025),
        17 => ("DVI4", 22_050),
        18 => ("G729", 8000),
        25 => ("CelB", 90_000),
        26 => ("JPEG", 90_000),
        28 => ("nv", 90_000),
        31 => ("H261", 90_000),
        32 => ("MPV", 90_000),
        33 => ("MP2T", 90_000),
        34 => ("H263", 90_000),
        _ => return None,
    })
}
