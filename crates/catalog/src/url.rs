//! The RTSP URLs that viewers are sent to.

use std::fmt;
use std::net::Ipv6Addr;

use serde::Deserialize;

/// An RTSP server's URL without a slash at its end: `rtsp://dss2.example.net:8554/live`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct RtspUrl(String);

impl RtspUrl {
    /// Where the stream of that name is watched: the URL, a slash, the name and `.sdp`.
    pub fn viewer_url(&self, stream: &str) -> String {
        format!("{}/{stream}.sdp", self.0)
    }

    /// The host, without its port.
    pub fn host(&self) -> &str {
        let after = self.0.split_once("://").map_or("", |(_, after)| after);
        let authority = after.split('/').next().unwrap_or_default();
        match authority.find(']') {
            Some(end) => &authority[..=end],
            None => authority.split(':').next().unwrap_or_default(),
        }
    }

    /// The URL itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RtspUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for RtspUrl {
    type Error = String;

    /// The URL is written into documents that players read with little care, so it may hold
    /// nothing that would have to be escaped there.
    fn try_from(text: String) -> Result<Self, String> {
        let no = |why: &str| Err(format!("`{}`: {why}", text.escape_debug()));
        let scheme = |name: &str| {
            text.get(..name.len()).filter(|s| s.eq_ignore_ascii_case(name)).map(str::len)
        };
        let Some(length) = scheme("rtsp://").or_else(|| scheme("rtsps://")) else {
            return no("a URL must begin with rtsp:// or rtsps:// here");
        };
        let (authority, path) = match text[length..].split_once('/') {
            Some((authority, path)) => (authority, path),
            None => (&text[length..], ""),
        };
        if authority.contains('@') {
            return no("leave out user and password: every viewer would see them");
        }
        if !is_authority(authority) {
            return no("a host is needed after the scheme: a name, an IPv4 address, or [IPv6]");
        }
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"/._-~%:,+=".contains(&b);
        if !path.bytes().all(plain) {
            return no("the path may hold letters, digits and / . _ - ~ % : , + = only");
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }
}

/// Whether this is a host, and perhaps a port.
pub(crate) fn is_authority(text: &str) -> bool {
    let (host_is_good, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) => (host.parse::<Ipv6Addr>().is_ok(), port),
        None => {
            let (host, port) = text.split_at(text.find(':').unwrap_or(text.len()));
            let plain = |b: u8| b.is_ascii_alphanumeric() || b".-_".contains(&b);
            (!host.is_empty() && !host.starts_with(['.', '-']) && host.bytes().all(plain), port)
        }
    };
    let port_is_good = port.is_empty()
        || port.strip_prefix(':').is_some_and(|port| {
            port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|p| p > 0)
        });
    host_is_good && port_is_good
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_watched_below_the_url() {
        for (url, expected) in [
            ("rtsp://dss2.example.net", "rtsp://dss2.example.net/news.sdp"),
            ("rtsp://dss2.example.net/", "rtsp://dss2.example.net/news.sdp"),
            ("RTSP://192.0.2.1:8554/live/", "RTSP://192.0.2.1:8554/live/news.sdp"),
            ("rtsps://[2001:db8::1]:322", "rtsps://[2001:db8::1]:322/news.sdp"),
        ] {
            let url = RtspUrl::try_from(url.to_owned()).unwrap();
            assert_eq!(url.viewer_url("news"), expected);
        }
    }

    #[test]
    fn its_host_has_no_port() {
        for (url, host) in [
            ("rtsp://dss2.example.net", "dss2.example.net"),
            ("rtsp://192.0.2.1:8554/live", "192.0.2.1"),
            ("rtsp://[2001:db8::1]:322/", "[2001:db8::1]"),
        ] {
            assert_eq!(RtspUrl::try_from(url.to_owned()).unwrap().host(), host);
        }
    }

    #[test]
    fn other_urls_are_refused() {
        for bad in [
            "",
            "dss2",
            "http://dss2",
            "rtsp:/dss2",
            "rtsp://",
            "rtsp:///x",
            "rtsp://:554",
            "rtsp://a:0",
            "rtsp://a:x",
            "rtsp://a:+1",
            "rtsp://u:p@a",
            "rtsp://a b",
            "rtsp://a/<b>",
            "rtsp://a/?x=1&y=2",
            "rtsp://a/\"",
            "rtsp://[::1",
            "rtsp://[1.2.3.4]",
            "rtsp://ä",
            "ß",
        ] {
            assert!(RtspUrl::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }
}
