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

    /// Only what a URL may hold as it is (RFC 3986) is taken, so that no document has to guess.
    fn try_from(text: String) -> Result<Self, String> {
        let no = |why: &str| Err(format!("`{}`: {why}", text.escape_debug()));
        let scheme = ["http://", "https://"].into_iter().find(|scheme| {
            text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        });
        let Some((scheme, rest)) = scheme.map(|scheme| (scheme, &text[scheme.len()..])) else {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_edge_takes_its_place() {
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

    #[test]
    fn other_urls_are_refused() {
        for bad in [
            "",
            "news.mp3",
            "httpss://radio/news",
            "https:/radio/news",
            "https://",
            "https://u:p@radio/news",
            "http://radio/news#live",
            "http://radio/100%",
            "http://radio/%4",
            "http://radio/%zz",
            "icy://radio/news",
            "http://",
            "http://u:p@radio/news",
            "http://ra dio/news",
            "http://x{edge}/news",
            "http://radio/{edge}",
            "http://radio/a'b",
            "http://radio/?edge={edge}",
            "http://radio/\"",
            "http://radio/ä",
            "äääääää",
        ] {
            assert!(AudioUrl::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }
}
