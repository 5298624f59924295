//! Whose packets are wanted: `a=source-filter` (RFC 4570).

use std::fmt;
use std::net::IpAddr;

use super::SdpError;
use super::connection::address;
use super::line::Line;

/// A source filter: `incl IN IP4 239.1.2.3 10.0.0.1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFilter {
    /// `incl`: these senders alone; otherwise `excl`: all but these.
    pub include: bool,
    /// The group or address that it is about; none for `*`, which means each.
    pub destination: Option<IpAddr>,
    /// The senders, at least one.
    pub senders: Vec<IpAddr>,
}

impl SourceFilter {
    /// Reads `value`, what follows `a=source-filter:`. A filter that can't be read is an error:
    /// passing over it would let everybody's packets in.
    pub(super) fn read(line: &Line, value: &str) -> Result<Self, SdpError> {
        let words: Vec<&str> = value.split_whitespace().collect();
        let [mode, net, family, destination, senders @ ..] = &words[..] else {
            return Err(line.error("a filter is written `incl IN IP4 239.1.2.3 192.0.2.1`"));
        };
        let include = mode.eq_ignore_ascii_case("incl");
        if !include && !mode.eq_ignore_ascii_case("excl") {
            return Err(line.error(format!("a filter is `incl` or `excl`, not `{mode}`")));
        }
        if !net.eq_ignore_ascii_case("IN") {
            return Err(line.error(format!("a filter's network is `IN`, not `{net}`")));
        }
        let read = |text: &str| {
            let family = match *family {
                "*" if text.contains(':') => "IP6",
                "*" => "IP4",
                family => family,
            };
            address(family, text).map_err(|what| line.error(what))
        };
        let destination = match *destination {
            "*" => None,
            text => Some(read(text)?),
        };
        let senders: Vec<IpAddr> =
            senders.iter().map(|text| read(text)).collect::<Result<_, _>>()?;
        if senders.is_empty() {
            return Err(line.error("a filter names at least one sender"));
        }
        Ok(Self { include, destination, senders })
    }

    /// Whether it is about packets to `group`.
    pub fn covers(&self, group: IpAddr) -> bool {
        self.destination.is_none_or(|destination| destination == group)
    }
}

impl fmt::Display for SourceFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = if self.include { "incl" } else { "excl" };
        let v6 = self.destination.iter().chain(&self.senders).any(IpAddr::is_ipv6);
        write!(f, "{mode} IN {} ", if v6 { "IP6" } else { "IP4" })?;
        match self.destination {
            Some(destination) => write!(f, "{destination}")?,
            None => f.write_str("*")?,
        }
        self.senders.iter().try_for_each(|sender| write!(f, " {sender}"))
    }
}
