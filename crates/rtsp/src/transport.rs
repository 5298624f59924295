//! The transport of a media's packets: RTSP's Transport header (RFC 2326, 12.39).

use std::fmt;

/// How packets travel from the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// As UDP datagrams.
    Udp,
    /// Interleaved in RTSP's own TCP connection (RFC 2326, 10.12).
    Tcp,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
        })
    }
}

/// The kind of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Rtp,
    Rtcp,
}

/// The way of a media's packets, as requested or as agreed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// To this UDP port of ours, and RTCP to the next; reports go to the server's port, if it is
    /// known.
    Ports { ours: u16, reports_to: Option<u16> },
    /// On these channels: RTP, RTCP.
    Channels { rtp: u8, rtcp: u8 },
}

impl Way {
    /// The header that requests it.
    pub(crate) fn header(&self) -> String {
        match self {
            Self::Ports { ours, .. } => {
                format!("RTP/AVP;unicast;client_port={ours}-{}", ours.saturating_add(1))
            }
            Self::Channels { rtp, rtcp } => {
                format!("RTP/AVP/TCP;unicast;interleaved={rtp}-{rtcp}")
            }
        }
    }

    /// The kind of packets on a channel; `None` if it is another media's.
    pub(crate) fn kind(&self, channel: u8) -> Option<Kind> {
        match self {
            Self::Channels { rtp, .. } if *rtp == channel => Some(Kind::Rtp),
            Self::Channels { rtcp, .. } if *rtcp == channel => Some(Kind::Rtcp),
            _ => None,
        }
    }

    /// An RTCP packet as it is sent this way: over TCP with a frame around it.
    pub(crate) fn framed(&self, packet: Vec<u8>) -> Vec<u8> {
        match (self, u16::try_from(packet.len())) {
            (Self::Channels { rtcp, .. }, Ok(length)) => {
                let [high, low] = length.to_be_bytes();
                [vec![b'$', *rtcp, high, low], packet].concat()
            }
            _ => packet,
        }
    }

    /// The way in the server's header; `None` if it is another transport.
    pub(crate) fn agreed(self, header: &str) -> Option<Self> {
        let mut params = header.split(';').map(str::trim);
        let protocol = params.next()?.to_ascii_uppercase();
        let params: Vec<(&str, &str)> =
            params.map(|param| param.split_once('=').unwrap_or((param, ""))).collect();
        let value = |wanted: &str| {
            let mut named = params.iter().filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
            named.next().map(|(_, value)| value.trim())
        };
        let tcp = protocol.ends_with("/TCP") || value("interleaved").is_some();
        if !protocol.starts_with("RTP/") || value("multicast").is_some() {
            return None;
        }
        match self {
            Self::Ports { ours, .. } if !tcp => {
                let pair = value("server_port").and_then(pair::<u16>);
                let reports_to = pair.map(|(_, rtcp)| rtcp).filter(|port| *port != 0);
                Some(Self::Ports { ours, reports_to })
            }
            Self::Channels { .. } if tcp => match value("interleaved") {
                None => Some(self),
                Some(text) => {
                    let (rtp, rtcp) = pair(text)?;
                    (rtp != rtcp).then_some(Self::Channels { rtp, rtcp })
                }
            },
            _ => None,
        }
    }
}

/// Both numbers of `6970-6971`, or of `6970` alone.
fn pair<T: Copy + TryFrom<u32>>(text: &str) -> Option<(T, T)>
where
    u32: From<T>,
{
    let number = |text: &str| T::try_from(text.trim().parse::<u32>().ok()?).ok();
    match text.split_once('-') {
        Some((first, second)) => Some((number(first)?, number(second)?)),
        None => {
            let first = number(text)?;
            Some((first, T::try_from(u32::from(first) + 1).ok()?))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PORTS: Way = Way::Ports { ours: 40_000, reports_to: None };
    const CHANNELS: Way = Way::Channels { rtp: 2, rtcp: 3 };

    #[test]
    fn the_header_asks_for_a_way() {
        assert_eq!(PORTS.header(), "RTP/AVP;unicast;client_port=40000-40001");
        assert_eq!(CHANNELS.header(), "RTP/AVP/TCP;unicast;interleaved=2-3");
    }

    #[test]
    fn a_servers_header_is_read_or_refused() {
        let ports = |reports_to| Some(Way::Ports { ours: 40_000, reports_to });
        for (answer, agreed) in [
            (
                "RTP/AVP;unicast;client_port=40000-40001;server_port=6970-6971;ssrc=1F",
                ports(Some(6971)),
            ),
            ("RTP/AVP/UDP; unicast; source=10.0.0.1; server_port=6970", ports(Some(6971))),
            ("rtp/avp;unicast;mode=\"PLAY\"", ports(None)),
            ("RTP/AVP;unicast;server_port=65535", ports(None)),
            ("RTP/AVP;unicast;server_port=x-0", ports(None)),
            ("RTP/AVP;multicast;destination=224.1.1.1;port=1-2", None),
            ("RTP/AVPF;unicast", ports(None)),
            ("RTP/AVP/TCP;interleaved=0-1", None),
            ("RTP/AVP;interleaved=0-1", None),
            ("x", None),
        ] {
            assert_eq!(PORTS.agreed(answer), agreed, "{answer}");
        }
        for (answer, agreed) in [
            ("RTP/AVP/TCP;unicast;interleaved=2-3;ssrc=0", Some(CHANNELS)),
            ("RTP/AVP/TCP", Some(CHANNELS)),
            ("RTP/AVP/TCP;interleaved=0-1", Some(Way::Channels { rtp: 0, rtcp: 1 })),
            ("RTP/AVP;interleaved=4", Some(Way::Channels { rtp: 4, rtcp: 5 })),
            ("RTP/AVP/TCP;interleaved=255", None),
            ("RTP/AVP/TCP;interleaved=4-4", None),
            ("RTP/AVP/TCP;interleaved=255-256", None),
            ("RTP/AVP;unicast;client_port=1-2", None),
        ] {
            assert_eq!(CHANNELS.agreed(answer), agreed, "{answer}");
        }
    }

    proptest! {
        #[test]
        fn no_header_makes_it_panic(answer in any::<String>()) {
            let _ = (PORTS.agreed(&answer), CHANNELS.agreed(&answer));
        }
    }
}
