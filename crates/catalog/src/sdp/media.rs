//! One media of a session: an `m=` section.

use std::collections::BTreeSet;
use std::net::IpAddr;

use model::PayloadTypes;
use sdp_rs::lines::media::Tokenizer;

use super::connection::{Connection, SourceFilter, address};
use super::format::{Format, MediaFormat};
use super::line::{Line, MAX_LINES, SdpError, number};

/// An `m=` section (RFC 8866, 5.14), with what the session's part says for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// The line of the `m=`, counted from 1.
    pub line: usize,
    /// `video`, `audio`, `application`, …
    pub kind: String,
    /// The first RTP port; 0 if the media is switched off, or RTSP negotiates the port.
    pub port: u16,
    /// How many RTP ports, in steps of two; 1 if not given.
    pub ports: u16,
    /// The transport: `RTP/AVP`, …
    pub proto: String,
    /// Its own `c=` lines, or else the session's.
    pub connections: Vec<Connection>,
    /// Its own source filters, or else the session's.
    pub source_filters: Vec<SourceFilter>,
    /// `a=rtcp`: where RTCP goes if not to the next port (RFC 3605).
    pub rtcp: Option<RtcpAddress>,
    /// `a=rtcp-mux`: RTCP travels on the RTP port (RFC 5761).
    pub rtcp_mux: bool,
    /// `b=`: the greatest rate, in bits a second (RFC 8866, 5.8, and RFC 3890).
    pub bandwidth: Option<u64>,
    /// `a=control`: the track's name in RTSP.
    pub control: Option<String>,
    /// Payload types in the order of preference; empty if the transport is not RTP.
    pub formats: Vec<Format>,
    /// `a=fmtp`, by payload type.
    fmtp: Vec<(u8, String)>,
    /// `a=crypto`: the keys of SRTP (RFC 4568).
    crypto: BTreeSet<String>,
}

/// The value of `a=rtcp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RtcpAddress {
    /// The port.
    pub port: u16,
    /// The address, if it differs from that of RTP.
    pub address: Option<IpAddr>,
}

impl Media {
    /// Reads an `m=` line; [`Media::add`] takes the lines after it.
    pub(super) fn read(line: &Line) -> Result<Self, SdpError> {
        let text = format!("m={}\r\n", line.words());
        let Ok((_, parts)) = Tokenizer::tokenize(&text) else {
            return Err(line.error("a media is written `m=video 5004 RTP/AVP 96`"));
        };
        let port = number(parts.port.port).ok_or_else(|| {
            line.error(format!("a port is a number up to 65535, not `{}`", parts.port.port))
        })?;
        let ports = match parts.port.num_of_ports {
            None => 1,
            Some(text) => number(text)
                .filter(|&ports: &u16| {
                    ports > 0 && u32::from(port) + 2 * (u32::from(ports) - 1) <= 65_535
                })
                .ok_or_else(|| line.error(format!("`{port}/{text}` is not a range of ports")))?,
        };
        let mut media = Self {
            line: line.number,
            kind: parts.media.to_ascii_lowercase(),
            port,
            ports,
            proto: parts.proto.to_owned(),
            connections: Vec::new(),
            source_filters: Vec::new(),
            rtcp: None,
            rtcp_mux: false,
            bandwidth: None,
            control: None,
            formats: Vec::new(),
            fmtp: Vec::new(),
            crypto: BTreeSet::new(),
        };
        if media.is_rtp() {
            media.read_formats(line, parts.fmt)?;
        }
        Ok(media)
    }

    fn read_formats(&mut self, line: &Line, formats: &str) -> Result<(), SdpError> {
        for text in formats.split(' ') {
            let Some(pt) = number(text).filter(|pt| *pt < 128) else {
                return Err(line.error(format!("a payload type is 0 to 127, not `{text}`")));
            };
            if !self.formats.iter().any(|format| format.pt == pt) {
                self.formats.push(Format::of(pt));
            }
        }
        Ok(())
    }

    /// Takes a line of this section. Lines that relaying doesn't need are ignored.
    pub(super) fn add(&mut self, line: &Line) -> Result<(), SdpError> {
        match line.key {
            'c' => line.push(&mut self.connections, Connection::read(line)?, MAX_LINES)?,
            'b' => self.bandwidth = bandwidth(&line.value).or(self.bandwidth),
            _ => {}
        }
        let Some((name, value)) = line.attribute() else { return Ok(()) };
        match name {
            "rtpmap" => {
                if let Some((format, encoding)) = self.format_of(value) {
                    format.map(encoding);
                }
            }
            "fmtp" => {
                if let Some((format, parameters)) = self.format_of(value) {
                    let fmtp = (format.pt, parameters.to_owned());
                    self.fmtp.retain(|(pt, _)| *pt != fmtp.0);
                    self.fmtp.push(fmtp);
                }
            }
            "rtcp" => self.rtcp = Some(RtcpAddress::read(line, value)?),
            "crypto" => {
                self.crypto.insert(value.to_owned());
            }
            "rtcp-mux" => self.rtcp_mux = true,
            "source-filter" => {
                let filter = SourceFilter::read(line, value)?;
                line.push(&mut self.source_filters, filter, MAX_LINES)?;
            }
            "control" => self.control = Some(value.to_owned()),
            _ => {}
        }
        Ok(())
    }

    /// The format that `96 rest` is about, and the rest.
    fn format_of<'a>(&mut self, value: &'a str) -> Option<(&mut Format, &'a str)> {
        let (pt, rest) = value.split_once(' ')?;
        let pt: u8 = number(pt)?;
        let format = self.formats.iter_mut().find(|format| format.pt == pt)?;
        Some((format, rest.trim()))
    }

    /// Whether it is RTP, in any profile, over UDP.
    pub fn is_rtp(&self) -> bool {
        let proto = self.proto.to_ascii_uppercase();
        let profile = proto.strip_suffix("/UDP").unwrap_or(&proto);
        let profile = profile.strip_prefix("UDP/TLS/").unwrap_or(profile);
        matches!(profile, "RTP/AVP" | "RTP/AVPF" | "RTP/SAVP" | "RTP/SAVPF")
    }

    /// Whether it is RTP at all, over UDP or otherwise; a whiteboard, for example, is not.
    pub(super) fn is_rtp_of_any_kind(&self) -> bool {
        self.proto.split('/').any(|part| part.eq_ignore_ascii_case("RTP"))
    }

    fn is_secure(&self) -> bool {
        self.proto.to_ascii_uppercase().contains("RTP/SAVP")
    }

    /// The port of RTCP for the first RTP port; none if the next port would be 65536.
    pub fn rtcp_port(&self) -> Option<u16> {
        match self.rtcp {
            _ if self.rtcp_mux => Some(self.port),
            Some(rtcp) => Some(rtcp.port),
            None => self.port.checked_add(1),
        }
    }

    /// The payload types that look like RTCP.
    pub fn named(&self) -> PayloadTypes {
        self.formats.iter().map(|format| format.pt).collect()
    }

    /// What the media is, apart from where it goes.
    pub fn format(&self) -> MediaFormat {
        let (kind, formats) = (self.kind.clone(), self.formats.clone());
        MediaFormat { kind, formats, rtcp_mux: self.rtcp_mux, secure: self.is_secure() }
    }

    /// The items of `a=fmtp` for a payload type. Their order and the space between them mean nothing.
    pub(crate) fn parameters(&self, pt: u8) -> BTreeSet<&str> {
        let own = self.fmtp.iter().filter(|(own, _)| *own == pt);
        let items = own.flat_map(|(_, fmtp)| fmtp.split(';'));
        items.map(str::trim).filter(|item| !item.is_empty()).collect()
    }

    /// Whether both have the same keys for SRTP.
    pub(crate) fn shares_keys(&self, other: &Self) -> bool {
        self.crypto == other.crypto
    }

    /// The greatest count of addresses that a `c=` line gives; 1 if none does.
    pub fn address_count(&self) -> u16 {
        self.connections.iter().map(|connection| connection.count).max().unwrap_or(1)
    }

    /// The senders that the filters allow; none if everybody may send.
    pub fn allowed_senders(&self) -> Vec<IpAddr> {
        let about = |filter: &&SourceFilter| {
            filter.include && self.connections.iter().any(|c| filter.covers(c.address))
        };
        let filters = self.source_filters.iter().filter(about);
        filters.flat_map(|filter| &filter.senders).copied().collect()
    }
}

/// `AS:1500` (kilobits with headers) or `TIAS:1500000` (bits without), in bits a second.
pub(super) fn bandwidth(value: &str) -> Option<u64> {
    let (kind, amount) = value.split_once(':')?;
    let amount: u64 = number(amount.trim())?;
    match kind.trim() {
        "AS" => amount.checked_mul(1000),
        "TIAS" => Some(amount),
        _ => None,
    }
}

impl RtcpAddress {
    fn read(line: &Line, value: &str) -> Result<Self, SdpError> {
        let words: Vec<&str> = value.split_whitespace().collect();
        let port = words.first().and_then(|port| number(port)).filter(|&port| port != 0);
        let port = port.ok_or_else(|| line.error(format!("`{value}` is not an RTCP port")))?;
        let address = match &words[1..] {
            [] => None,
            [_, family, text] => Some(address(family, text).map_err(|what| line.error(what))?),
            _ => return Err(line.error("RTCP is written `a=rtcp:5005 IN IP4 239.1.2.3`")),
        };
        Ok(Self { port, address })
    }
}
