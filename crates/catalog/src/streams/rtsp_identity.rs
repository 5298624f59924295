//! The identity of a stream at an RTSP server, whatever URL names it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::config::url::without_secrets;

/// A stream at an RTSP server: its host, and its path there. The port does not count, because one server
/// listens on several (Darwin Streaming Server on 554, 7070, 8000 and 8001), and neither does the query.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RtspIdentity {
    host: String,
    path: String,
}

impl RtspIdentity {
    /// The stream that an RTSP URL names.
    pub(crate) fn of(url: &str) -> Self {
        let after = url.split_once("://").map_or(url, |(_, after)| after);
        let after = after.split('?').next().unwrap_or_default();
        let (authority, path) = after.split_once('/').unwrap_or((after, ""));
        let host = match authority.split_once(']') {
            Some((host, _)) => host.trim_start_matches('['),
            None => authority.split(':').next().unwrap_or_default(),
        };
        let host = match host.parse::<IpAddr>() {
            Ok(address) => written(address),
            Err(_) if host.eq_ignore_ascii_case("localhost") => written(Ipv4Addr::LOCALHOST.into()),
            Err(_) => host.trim_end_matches('.').to_ascii_lowercase(),
        };
        Self { host, path: path.trim_matches('/').to_owned() }
    }

    /// The same stream, with this address as the host.
    pub(crate) fn on(&self, host: IpAddr) -> Self {
        Self { host: written(host), path: self.path.clone() }
    }
}

/// An address as a URL has it. `::1` becomes 127.0.0.1, because `localhost` means both. Other addresses
/// of 127.0.0.0/8 may be other servers.
fn written(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(Ipv6Addr::LOCALHOST) => Ipv4Addr::LOCALHOST.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

impl fmt::Display for RtspIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&without_secrets(&format!("rtsp://{}/{}", self.host, self.path)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_urls_of_a_stream_have_one_identity() {
        for (url, form) in [
            ("rtsp://DSS2.example.net./news.sdp", "rtsp://dss2.example.net/news.sdp"),
            ("rtsp://dss2:7070/live//news.sdp/?a=b", "rtsp://dss2/live//news.sdp"),
            ("RTSP://dss2", "rtsp://dss2/"),
            ("rtsp://dss2?x=/y", "rtsp://dss2/"),
            ("rtsp://[::ffff:192.0.2.1]:554/news.sdp", "rtsp://192.0.2.1/news.sdp"),
            ("rtsp://LocalHost:8554/news.sdp", "rtsp://127.0.0.1/news.sdp"),
            ("rtsp://[::1]/news.sdp", "rtsp://127.0.0.1/news.sdp"),
            ("rtsp://127.0.0.2/news.sdp", "rtsp://127.0.0.2/news.sdp"),
            ("rtsp://[2001:DB8:0::1]/news.sdp", "rtsp://[2001:db8::1]/news.sdp"),
        ] {
            assert_eq!(RtspIdentity::of(url).to_string(), form);
        }
        let moved =
            RtspIdentity::of("rtsp://dss2:99/news.sdp").on("::ffff:192.0.2.1".parse().unwrap());
        assert_eq!(moved, RtspIdentity::of("rtsp://192.0.2.1/news.sdp"));
    }
}
