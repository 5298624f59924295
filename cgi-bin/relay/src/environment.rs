//! What the web server says about a request.

use std::ffi::OsString;
use std::net::IpAddr;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// The meta-variables of RFC 3875 that matter here; no other is looked at. They are bytes as they
/// came: a client can put anything into most of them.
#[derive(Debug)]
pub(crate) struct Environment {
    pub(crate) method: Vec<u8>,
    /// PATH_INFO: what follows the program's own path, percent-decoded by the web server.
    pub(crate) path: Vec<u8>,
    /// QUERY_STRING, not decoded.
    pub(crate) query: Vec<u8>,
    /// SCRIPT_NAME: the program's own path, decoded.
    pub(crate) script: Vec<u8>,
    /// The peer's address: never what a header claims.
    pub(crate) client: Option<IpAddr>,
    /// Whether a body may wait on standard input.
    pub(crate) has_body: bool,
    /// The daemon's socket.
    pub(crate) socket: PathBuf,
}

impl Environment {
    /// Looks the variables up with `variable`.
    pub(crate) fn new(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let bytes = |name| variable(name).map(OsString::into_vec).unwrap_or_default();
        // Any length but zero, be it absurd: what can't be read as one may be followed by a body.
        let length = bytes("CONTENT_LENGTH");
        Self {
            method: bytes("REQUEST_METHOD"),
            path: bytes("PATH_INFO"),
            query: bytes("QUERY_STRING"),
            script: bytes("SCRIPT_NAME"),
            client: address(&bytes("REMOTE_ADDR")),
            has_body: length.iter().any(|digit| *digit != b'0')
                || !bytes("HTTP_TRANSFER_ENCODING").is_empty(),
            socket: variable("DYNRELAY_SOCKET")
                .filter(|path| !path.is_empty())
                .map_or_else(|| PathBuf::from(control::DEFAULT_SOCKET), PathBuf::from),
        }
    }

    /// Whether only the header of the answer is wanted.
    pub(crate) fn is_head(&self) -> bool {
        self.method == b"HEAD"
    }
}

/// An address without its IPv6 zone; an IPv4 one also when it comes dressed up as IPv6.
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    let (address, _zone) = text.split_once('%').unwrap_or((text, ""));
    address.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &str, value: &[u8]) -> Environment {
        Environment::new(|asked| (asked == name).then(|| OsString::from_vec(value.to_vec())))
    }

    #[test]
    fn the_viewers_address_is_read_as_servers_write_it() {
        for (written, address) in [
            ("203.0.113.9", Some("203.0.113.9")),
            ("::ffff:203.0.113.9", Some("203.0.113.9")),
            ("fe80::1%eth0", Some("fe80::1")),
            ("2001:db8::9", Some("2001:db8::9")),
            ("", None),
            ("unix:", None),
            ("203.0.113.9:80", None),
        ] {
            let address = address.map(|address| address.parse().unwrap());
            assert_eq!(with("REMOTE_ADDR", written.as_bytes()).client, address, "{written}");
        }
        assert_eq!(with("REMOTE_ADDR", b"\xff").client, None);
        assert_eq!(with("HTTP_X_FORWARDED_FOR", b"203.0.113.9").client, None);
    }

    #[test]
    fn a_body_is_expected_unless_its_length_is_none() {
        for (length, has_body) in [
            ("", false),
            ("0", false),
            ("10", true),
            ("-1", true),
            ("18446744073709551616", true),
            ("\u{fffd}", true),
        ] {
            assert_eq!(with("CONTENT_LENGTH", length.as_bytes()).has_body, has_body, "{length}");
        }
        assert!(with("HTTP_TRANSFER_ENCODING", b"chunked").has_body);
    }

    #[test]
    fn the_socket_is_the_default_unless_named() {
        assert_eq!(with("", b"").socket, PathBuf::from(control::DEFAULT_SOCKET));
        assert_eq!(with("DYNRELAY_SOCKET", b"").socket, PathBuf::from(control::DEFAULT_SOCKET));
        assert_eq!(with("DYNRELAY_SOCKET", b"/run/x").socket, PathBuf::from("/run/x"));
    }
}
