//! How packets travel from the server: RTSP's Transport header (RFC 2326, 12.39).

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

/// Where a media's packets come in, or are asked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// At this UDP port of ours, and RTCP at the next; the server's own port for RTCP, if it says.
    Ports { ours: u16, reports_to: Option<u16> },
    /// On these channels: RTP, RTCP.
    Channels { rtp: u8, rtcp: u8 },
}

impl Way {
    /// The header that asks for it.
    pub(crate) fn header(self) -> String {
        match self {
            Self::Ports { ours, .. } => {
                format!("RTP/AVP;unicast;client_port={ours}-{}", ours.saturating_add(1))
            }
            Self::Channels { rtp, rtcp } => {
                format!("RTP/AVP/TCP;unicast;interleaved={rtp}-{rtcp}")
            }
        }
    }

    /// What the server made of it; none if that is something else altogether.
    pub(crate) fn agreed(self, header: &str) -> Option<Self> {
        let mut params = header.split(';').map(str::trim);
        let protocol = params.next()?;
        let params: Vec<(&str, &str)> =
            params.map(|param| param.split_once('=').unwrap_or((param, ""))).collect();
        let value = |wanted: &str| {
            let mut named = params.iter().filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
            named.next().map(|(_, value)| value.trim())
        };
        if value("multicast").is_some() {
            return None;
        }
        let is = |wanted: &str| protocol.eq_ignore_ascii_case(wanted);
        match self {
            Self::Ports { ours, .. } if is("RTP/AVP") || is("RTP/AVP/UDP") => {
                let reports_to = value("server_port").and_then(second_port);
                Some(Self::Ports { ours, reports_to })
            }
            Self::Channels { .. } if is("RTP/AVP/TCP") => match value("interleaved") {
                None => Some(self),
                Some(pair) => {
                    let (rtp, rtcp) = pair.split_once('-')?;
                    let (rtp, rtcp) = (rtp.trim().parse().ok()?, rtcp.trim().parse().ok()?);
                    (rtp != rtcp).then_some(Self::Channels { rtp, rtcp })
                }
            },
            _ => None,
        }
    }
}

/// The second of `6970-6971`; the one after the first where only that is given.
fn second_port(pair: &str) -> Option<u16> {
    let port = match pair.split_once('-') {
        Some((_, second)) => second.trim().parse().ok()?,
        None => pair.parse::<u16>().ok()?.checked_add(1)?,
    };
    (port != 0).then_some(port)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PORTS: Way = Way::Ports { ours: 40_000, reports_to: None };
    const CHANNELS: Way = Way::Channels { rtp: 2, rtcp: 3 };

    #[test]
    fn what_is_asked_for() {
        assert_eq!(PORTS.header(), "RTP/AVP;unicast;client_port=40000-40001");
        assert_eq!(CHANNELS.header(), "RTP/AVP/TCP;unicast;interleaved=2-3");
    }

    #[test]
    fn what_servers_answer() {
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
            ("RTP/AVP/TCP;interleaved=0-1", None),
            ("", None),
        ] {
            assert_eq!(PORTS.agreed(answer), agreed, "{answer}");
        }
        for (answer, agreed) in [
            ("RTP/AVP/TCP;unicast;interleaved=2-3;ssrc=0", Some(CHANNELS)),
            ("RTP/AVP/TCP", Some(CHANNELS)),
            ("RTP/AVP/TCP;interleaved=0-1", Some(Way::Channels { rtp: 0, rtcp: 1 })),
            ("RTP/AVP/TCP;interleaved=0", None),
            ("RTP/AVP/TCP;interleaved=4-4", None),
            ("RTP/AVP/TCP;interleaved=255-256", None),
            ("RTP/AVP;unicast;client_port=1-2", None),
        ] {
            assert_eq!(CHANNELS.agreed(answer), agreed, "{answer}");
        }
    }

    proptest! {
        #[test]
        fn any_answer_is_taken_or_refused(answer in any::<String>()) {
            let _ = (PORTS.agreed(&answer), CHANNELS.agreed(&answer));
        }
    }
}
