//! RTSP URLs: the server to connect to, and the text that stands in requests.

use std::fmt::Write as _;

/// The schemes with their default ports (RFC 2326, 3.2; RFC 7826, 4.2).
const SCHEMES: [(&str, u16); 3] = [("rtsp", 554), ("rtspu", 554), ("rtsps", 322)];

/// An RTSP URL without user and password: these are not for request lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    text: String,
    /// In lower case; an IPv6 address has no brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The scheme is `rtsps`.
    pub(crate) tls: bool,
}

impl Url {
    /// Reads a URL; `None` if it has another scheme or no host. Characters that can't stand in a
    /// request line are percent-encoded.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.trim().split_once("://")?;
        let (scheme, port) = SCHEMES.iter().find(|(name, _)| scheme.eq_ignore_ascii_case(name))?;
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
            _ => (place, *port),
        };
        let bare = match host.strip_prefix('[') {
            Some(host) => host.strip_suffix(']')?,
            None if host.contains(':') => return None,
            None => host,
        };
        let good = !bare.is_empty() && bare.bytes().all(|byte| byte.is_ascii_graphic());
        good.then(|| Self {
            text: encoded(&format!("{scheme}://{place}{path}")),
            host: bare.to_ascii_lowercase(),
            port,
            tls: *scheme == "rtsps",
        })
    }

    /// The URL as it stands in a request.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// The URL that `a=control` names (RFC 2326, C.1.1). A relative one is appended to the base
    /// after a slash: servers mean that, and not what RFC 3986 says. `None` if it is no URL.
    pub(crate) fn join(&self, control: &str) -> Option<Self> {
        if control.is_empty() || control == "*" {
            return Some(self.clone());
        }
        let scheme = control.split_once("://").map(|(scheme, _)| scheme);
        if scheme.is_some_and(|s| SCHEMES.iter().any(|(name, _)| s.eq_ignore_ascii_case(name))) {
            return Self::parse(control);
        }
        let slash = if self.text.ends_with('/') { "" } else { "/" };
        let text = encoded(&format!("{}{slash}{}", self.text, control.trim_start_matches('/')));
        Some(Self { text, ..self.clone() })
    }
}

/// The text with everything but visible ASCII percent-encoded.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        if byte.is_ascii_graphic() {
            out.push(char::from(byte));
        } else {
            // Writing to memory does not fail.
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn a_url_names_a_server_and_loses_its_login() {
        for (text, shown, host, port, tls) in [
            ("rtsp://cam/live", "rtsp://cam/live", "cam", 554, false),
            ("RTSP://u:p@Cam:8554", "rtsp://Cam:8554", "cam", 8554, false),
            ("rtsps://cam/a b", "rtsps://cam/a%20b", "cam", 322, true),
            ("rtsp://a:b@[2001:DB8::1]?x=@", "rtsp://[2001:DB8::1]?x=@", "2001:db8::1", 554, false),
            ("rtsps://[::1]:99/", "rtsps://[::1]:99/", "::1", 99, true),
        ] {
            let url = url(text);
            assert_eq!((url.as_str(), &*url.host, url.port, url.tls), (shown, host, port, tls));
        }
        for bad in ["", "cam", "http://cam/", "rtsp://", "rtsp://[", "rtsp://a:x", "rtsp://::1"] {
            assert_eq!(Url::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_control_is_appended_to_its_base() {
        for (base, control, expected) in [
            ("rtsp://cam/news", "trackID=1", "rtsp://cam/news/trackID=1"),
            ("rtsp://cam/news/", "trackID=1", "rtsp://cam/news/trackID=1"),
            ("rtsp://cam/news?a=b", "trackID=1", "rtsp://cam/news?a=b/trackID=1"),
            ("rtsp://cam/news", "/track 1\r\n", "rtsp://cam/news/track%201%0D%0A"),
            ("rtsp://cam/news", "*", "rtsp://cam/news"),
            ("rtsp://cam/news", "RTSP://u:p@x/y", "rtsp://x/y"),
            ("rtsp://cam/news", "http://x/y", "rtsp://cam/news/http://x/y"),
        ] {
            assert_eq!(url(base).join(control).unwrap().as_str(), expected);
        }
        assert_eq!(url("rtsp://cam/").join("rtsp://["), None);
    }

    proptest! {
        #[test]
        fn a_url_is_one_word(text in "(rtsp://)?\\PC{0,40}", control in any::<String>()) {
            for url in [Url::parse(&text), url("rtsp://cam/news").join(&control)].iter().flatten() {
                prop_assert!(url.as_str().bytes().all(|byte| byte.is_ascii_graphic()));
            }
        }
    }
}
