//! The URLs that viewers get: of RTSP servers, and of audio that goes with a stream.

use std::fmt;
use std::net::Ipv6Addr;

use serde::Deserialize;

/// The place of the host in an [`AudioUrl`].
const EDGE: &str = "{edge}";

/// An RTSP server's URL without a slash at its end: `rtsp://dss2.example.net:8554/live`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct RtspUrl(String);

impl RtspUrl {
    /// Where viewers watch the stream of that name: the URL, a slash, the name and `.sdp`.
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

    /// Accepts only characters that no document has to escape, because players read the URL from
    /// documents and are careless about it.
    fn try_from(text: String) -> Result<Self, String> {
        let no = |why: &str| Err(format!("`{}`: {why}", text.escape_debug()));
        let Some((_, rest)) = scheme(&text, ["rtsp://", "rtsps://"]) else {
            return no("a URL must begin with rtsp:// or rtsps:// here");
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
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

/// The `audio` of a NAME.toml: the URL of an Icecast mount, such as `http://radio.example.org:8000/news`.
/// `{edge}` instead of the host stands for the streaming server that the viewer is sent to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct AudioUrl(String);

impl AudioUrl {
    /// The URL for a viewer who is sent to this host.
    pub fn at(&self, host: &str) -> String {
        self.0.replacen(EDGE, host, 1)
    }
}

impl TryFrom<String> for AudioUrl {
    type Error = String;

    /// Accepts only characters that RFC 3986 allows unescaped.
    fn try_from(text: String) -> Result<Self, String> {
        let no = |why: &str| Err(format!("`{}`: {why}", text.escape_debug()));
        let Some((scheme, rest)) = scheme(&text, ["http://", "https://"]) else {
            return no("the audio's URL must begin with http:// or https://");
        };
        let (authority, mount) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return no("leave out user and password: every viewer would see them");
        }
        let host = authority.strip_prefix(EDGE).map(|port| format!("edge{port}"));
        if !is_authority(host.as_deref().unwrap_or(authority)) {
            return no("a host is needed: a name, an IPv4 address, [IPv6], or {edge}");
        }
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"/._-~%:,+=?&;@!$*".contains(&b);
        if !mount.bytes().all(plain) {
            return no("the mount and a query may hold letters, digits and \
                       / . _ - ~ % : , + = ? & ; @ ! $ * only");
        }
        let mut escapes = mount.split('%').skip(1).map(|after| after.as_bytes().first_chunk());
        if !escapes.all(|pair: Option<&[u8; 2]>| {
            pair.is_some_and(|pair| pair.iter().all(u8::is_ascii_hexdigit))
        }) {
            return no("a % in it must be followed by two hexadecimal digits: %25 is a %");
        }
        Ok(Self(format!("{scheme}{rest}")))
    }
}

/// The scheme of a URL, in lower case, and the rest; none if it is neither of the two.
fn scheme<'a>(text: &'a str, known: [&'static str; 2]) -> Option<(&'static str, &'a str)> {
    known.into_iter().find_map(|scheme| {
        let start = text.get(..scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then(|| (scheme, &text[scheme.len()..]))
    })
}

/// Whether this is a host, with or without a port.
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

/// A URL is shown up to the first of these, since cameras take logins there.
const SECRETS: [&str; 7] = ["user=", "password=", "passwd=", "pwd=", "pass=", "token=", "key="];

/// A text as it may be shown: its URLs have no user and password, and it ends after the first
/// `user=`, `password=`, `pwd=`, `pass=`, `token=` or `key=`.
pub fn without_secrets(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let ends = SECRETS.iter().filter_map(|key| Some(lower.find(key)? + key.len()));
    let end = ends.min();
    let mut shown = text[..end.unwrap_or(text.len())].to_owned();
    let mut from = 0;
    while let Some(at) = shown[from..].find("://") {
        from += at + 3;
        let rest = &shown[from..];
        let authority = rest.find(['/', '?', '#', ' ']).unwrap_or(rest.len());
        if let Some(login) = rest[..authority].rfind('@') {
            shown.replace_range(from..=from + login, "");
        }
    }
    shown + end.map_or("", |_| "…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn viewers_watch_below_the_url_of_a_host() {
        for (url, viewer_url, host) in [
            ("rtsp://dss2.example.net", "rtsp://dss2.example.net/news.sdp", "dss2.example.net"),
            ("rtsp://dss2.example.net/", "rtsp://dss2.example.net/news.sdp", "dss2.example.net"),
            ("RTSP://192.0.2.1:8554/live/", "RTSP://192.0.2.1:8554/live/news.sdp", "192.0.2.1"),
            ("rtsps://[2001:db8::1]:322", "rtsps://[2001:db8::1]:322/news.sdp", "[2001:db8::1]"),
        ] {
            let url = RtspUrl::try_from(url.to_owned()).unwrap();
            assert_eq!((url.viewer_url("news").as_str(), url.host()), (viewer_url, host));
        }
    }

    #[test]
    fn other_urls_are_refused() {
        let bad = "|dss2|http://dss2|rtsp:/dss2|rtsp://|rtsp:///x|rtsp://:554|rtsp://a:0|\
            rtsp://a:x|rtsp://a:+1|rtsp://u:p@a|rtsp://a b|rtsp://a/<b>|\
            rtsp://a/?x=1&y=2|rtsp://a/\"|rtsp://[::1|rtsp://[1.2.3.4]|rtsp://ä|ß";
        for bad in bad.split('|') {
            assert!(RtspUrl::try_from(bad.to_owned()).is_err(), "{bad}");
        }
        let bad = "|news.mp3|httpss://radio/news|https:/radio/news|https://|\
            https://u:p@radio/news|http://radio/news#live|http://radio/100%|\
            http://radio/%4|http://radio/%zz|icy://radio/news|http://ra dio/news|\
            http://x{edge}/news|http://radio/{edge}|http://radio/a'b|\
            http://radio/?edge={edge}|http://radio/\"|http://radio/ä|äääääää";
        for bad in bad.split('|') {
            assert!(AudioUrl::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_viewers_host_takes_the_place_of_edge() {
        for (text, at) in [
            ("http://radio.example.org:8000/news.mp3", "http://radio.example.org:8000/news.mp3"),
            ("HTTP://{edge}:8000/news", "http://[2001:db8::1]:8000/news"),
            ("http://{edge}/", "http://[2001:db8::1]/"),
            ("Https://{edge}:8443/n", "https://[2001:db8::1]:8443/n"),
            ("http://{edge}?a", "http://[2001:db8::1]?a"),
            ("http://radio/news%20live?a=1&b=@;c", "http://radio/news%20live?a=1&b=@;c"),
        ] {
            assert_eq!(AudioUrl::try_from(text.to_owned()).unwrap().at("[2001:db8::1]"), at);
        }
    }
}
