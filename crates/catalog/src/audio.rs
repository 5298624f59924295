//! The Icecast stream that goes with a relayed one.

use serde::Deserialize;

use crate::url::is_authority;

/// What stands in the URL for the host that a viewer is sent to.
const EDGE: &str = "{edge}";

/// The `audio` of a NAME.toml: an Icecast mount's URL, such as `http://radio.example.org:8000/news`.
/// `{edge}` in its place for the host is that of the streaming server that the viewer is sent to.
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

    /// As with streams' URLs, nothing may be in it that would have to be escaped in a document.
    fn try_from(text: String) -> Result<Self, String> {
        let no = |why: &str| Err(format!("`{}`: {why}", text.escape_debug()));
        let scheme = text.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("http://"));
        let Some(rest) = text.get(7..).filter(|_| scheme) else {
            return no("the audio's URL must begin with http://");
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        if authority.contains('@') {
            return no("leave out user and password: every viewer would see them");
        }
        let host = authority.strip_prefix(EDGE).map(|port| format!("edge{port}"));
        if !is_authority(host.as_deref().unwrap_or(authority)) {
            return no("a host is needed: a name, an IPv4 address, [IPv6], or {edge}");
        }
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"/._-~%:,+=".contains(&b);
        if !path.bytes().all(plain) {
            return no("the mount may hold letters, digits and / . _ - ~ % : , + = only");
        }
        Ok(Self(format!("http://{rest}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_edge_takes_its_place() {
        for (text, at) in [
            ("http://radio.example.org:8000/news.mp3", "http://radio.example.org:8000/news.mp3"),
            ("HTTP://{edge}:8000/news", "http://[2001:db8::1]:8000/news"),
            ("http://{edge}/", "http://[2001:db8::1]/"),
        ] {
            assert_eq!(AudioUrl::try_from(text.to_owned()).unwrap().at("[2001:db8::1]"), at);
        }
    }

    #[test]
    fn other_urls_are_refused() {
        for bad in [
            "",
            "news.mp3",
            "https://radio/news",
            "icy://radio/news",
            "http://",
            "http://u:p@radio/news",
            "http://ra dio/news",
            "http://x{edge}/news",
            "http://radio/{edge}",
            "http://radio/a&b",
            "http://radio/\"",
            "http://radio/ä",
            "äääääää",
        ] {
            assert!(AudioUrl::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }
}
