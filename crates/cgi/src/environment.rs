//! The environment of a request.

use std::ffi::OsString;
use std::net::IpAddr;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// The meta-variables of RFC 3875 that the programs use. They are raw bytes: a client can put
/// anything into most of them.
#[derive(Debug)]
pub struct Environment {
    /// REQUEST_METHOD.
    pub method: Vec<u8>,
    /// PATH_INFO: the path after the program's own, percent-decoded by the web server.
    pub path: Vec<u8>,
    /// QUERY_STRING, not decoded.
    pub query: Vec<u8>,
    /// SCRIPT_NAME: the program's own path, decoded.
    pub script: Vec<u8>,
    /// The peer's address, never one from a header.
    pub client: Option<IpAddr>,
    /// SERVER_NAME, if it can be the name or address of a host.
    pub host: Option<String>,
    /// HTTP_ACCEPT: the media types that the client accepts.
    pub accept: Vec<u8>,
    /// HTTP_USER_AGENT says that the player is QuickTime.
    pub quicktime: bool,
    /// Whether standard input may have a body.
    pub has_body: bool,
    /// The daemon's socket.
    pub socket: PathBuf,
}

impl Environment {
    /// Reads the variables through `variable`.
    pub fn new(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let bytes = |name| variable(name).map(OsString::into_vec).unwrap_or_default();
        // Any length but zero, even an absurd or unreadable one, may announce a body.
        let length = bytes("CONTENT_LENGTH");
        Self {
            method: bytes("REQUEST_METHOD"),
            path: bytes("PATH_INFO"),
            query: bytes("QUERY_STRING"),
            script: bytes("SCRIPT_NAME"),
            client: address(&bytes("REMOTE_ADDR")),
            host: host(bytes("SERVER_NAME")),
            accept: bytes("HTTP_ACCEPT"),
            quicktime: bytes("HTTP_USER_AGENT").windows(9).any(|nine| nine == b"QuickTime"),
            has_body: length.iter().any(|digit| *digit != b'0')
                || !bytes("HTTP_TRANSFER_ENCODING").is_empty(),
            socket: variable("DYNRELAY_SOCKET")
                .filter(|path| !path.is_empty())
                .map_or_else(|| PathBuf::from(control::DEFAULT_SOCKET), PathBuf::from),
        }
    }

    /// Whether the client wants only the headers.
    pub fn is_head(&self) -> bool {
        self.method == b"HEAD"
    }
}

/// Whether this can be a host's name. A client may have invented it.
fn host(name: Vec<u8>) -> Option<String> {
    let in_name = |byte: &u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(byte);
    let fits = (1..=255).contains(&name.len()) && name.iter().all(in_name);
    String::from_utf8(name).ok().filter(|_| fits)
}

/// Reads an address without its IPv6 zone. An IPv4 address mapped into IPv6 becomes IPv4.
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
    fn quicktime_is_known_by_its_name() {
        assert!(with("HTTP_USER_AGENT", b"QuickTime/7.6.6 (qtver=7.6.6;os=Mac 10.5.8)").quicktime);
        assert!(with("HTTP_USER_AGENT", b"QuickTime (qtver=6.0;os=Windows NT 5.1)").quicktime);
        assert!(!with("HTTP_USER_AGENT", b"MPlayer \xff").quicktime);
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
    fn a_hosts_name_is_one_or_none() {
        for name in ["dss1.example.org", "192.0.2.1", "[2001:db8::1]"] {
            assert_eq!(with("SERVER_NAME", name.as_bytes()).host.as_deref(), Some(name));
        }
        for odd in [&b""[..], b"a b", b"<b>", b"caf\xe9", &[b'x'; 256]] {
            assert_eq!(with("SERVER_NAME", odd).host, None);
        }
    }

    #[test]
    fn the_socket_is_the_default_unless_named() {
        assert_eq!(with("", b"").socket, PathBuf::from(control::DEFAULT_SOCKET));
        assert_eq!(with("DYNRELAY_SOCKET", b"").socket, PathBuf::from(control::DEFAULT_SOCKET));
        assert_eq!(with("DYNRELAY_SOCKET", b"/run/x").socket, PathBuf::from("/run/x"));
    }
}
