//! The request, as the web server describes it in environment variables (RFC 3875).

use std::ffi::OsString;
use std::net::IpAddr;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use crate::percent_decode;

/// The variables that the programs use. Most are bytes as they came: a client can put anything into
/// them.
#[derive(Debug)]
pub struct Environment {
    /// REQUEST_METHOD.
    pub method: Vec<u8>,
    /// The part of the path after the program's own, percent-decoded: PATH_INFO. If the web server
    /// does not set that, the part is found in SCRIPT_NAME or REQUEST_URI.
    pub path: Vec<u8>,
    /// QUERY_STRING, not decoded.
    pub query: Vec<u8>,
    /// The program's own path, decoded: SCRIPT_NAME, without what belongs to `path`.
    pub script: Vec<u8>,
    /// The peer's address. No header can change it.
    pub client: Option<IpAddr>,
    /// SERVER_NAME, if it can be the name or address of a host.
    pub host: Option<String>,
    /// HTTP_ACCEPT: the media types that the client accepts.
    pub accept: Vec<u8>,
    /// Whether HTTP_USER_AGENT names QuickTime.
    pub quicktime: bool,
    /// Whether standard input may hold a request body.
    pub has_body: bool,
    /// The daemon's socket.
    pub socket: PathBuf,
}

impl Environment {
    /// Reads the variables through `variable`.
    pub fn new(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let bytes = |name| variable(name).map(OsString::into_vec).unwrap_or_default();
        // A body may follow unless the length is zero, even if the length is nonsense.
        let length = bytes("CONTENT_LENGTH");
        Self {
            method: bytes("REQUEST_METHOD"),
            path: path(bytes("PATH_INFO"), &bytes("SCRIPT_NAME"), &bytes("REQUEST_URI")),
            query: bytes("QUERY_STRING"),
            script: script(bytes("SCRIPT_NAME")),
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

    /// Whether the answer must have no body.
    pub fn is_head(&self) -> bool {
        self.method == b"HEAD"
    }
}

/// The part of the path after the program's own. nginx's stock parameters set no PATH_INFO, and put
/// the whole path into SCRIPT_NAME.
fn path(info: Vec<u8>, script: &[u8], uri: &[u8]) -> Vec<u8> {
    if !info.is_empty() {
        return info;
    }
    if let Some(end) = program_end(script) {
        return script[end..].to_vec();
    }
    let uri = percent_decode(uri.split(|byte| *byte == b'?').next().unwrap_or_default());
    if script.is_empty()
        && let Some(end) = program_end(&uri)
    {
        return uri[end..].to_vec();
    }
    let last = uri.iter().rposition(|byte| *byte == b'/').map_or(&[][..], |slash| &uri[slash..]);
    match uri.strip_prefix(script) {
        // The whole path: without `.cgi` in it, a file name at its end is a document.
        Some([]) if last.contains(&b'.') && !last.ends_with(b".cgi") => last.to_vec(),
        Some(rest @ [b'/', ..]) => rest.to_vec(),
        _ => Vec::new(),
    }
}

fn script(mut name: Vec<u8>) -> Vec<u8> {
    name.truncate(program_end(&name).unwrap_or(name.len()));
    name
}

/// Where the program's own path ends, if more follows: after the first part that ends in `.cgi`.
fn program_end(path: &[u8]) -> Option<usize> {
    path.windows(5).position(|five| five == b".cgi/").map(|dot| dot + 4)
}

/// The name of a host. A client may have made it up.
fn host(name: Vec<u8>) -> Option<String> {
    let in_name = |byte: &u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(byte);
    let fits = (1..=255).contains(&name.len()) && name.iter().all(in_name);
    String::from_utf8(name).ok().filter(|_| fits)
}

/// An address without its IPv6 zone. An IPv4 address inside an IPv6 address becomes IPv4.
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
    fn the_path_is_found_without_path_info() {
        for (info, script, uri, own, path) in [
            ("/news.smil", "/relay.cgi", "/relay.cgi/news.smil", "/relay.cgi", "/news.smil"),
            ("/news.smil", "/relay.cgi", "/else", "/relay.cgi", "/news.smil"),
            // nginx with its stock parameters.
            (
                "",
                "/c/relay.cgi/news.smil",
                "/c/relay.cgi/news.smil?a",
                "/c/relay.cgi",
                "/news.smil",
            ),
            ("", "/c/relay.cgi/x.cgi/y", "", "/c/relay.cgi", "/x.cgi/y"),
            ("", "/c/relay.cgi/", "/c/relay.cgi/", "/c/relay.cgi", "/"),
            ("", "/c/relay.cgi", "/c/relay.cgi?stream=a/b.smil", "/c/relay.cgi", ""),
            // nginx with SCRIPT_NAME split off, but no PATH_INFO.
            ("", "/c/relay.cgi", "/c/relay.cgi/n%65ws.smil?a=/b", "/c/relay.cgi", "/news.smil"),
            ("", "/c/relay.cgi", "/c/relay.cgi2/news.smil", "/c/relay.cgi", ""),
            ("", "", "/c/relay.cgi/news.smil", "", "/news.smil"),
            // A location without `.cgi`.
            ("", "/watch/news.smil", "/watch/news.smil?a.b", "/watch/news.smil", "/news.smil"),
            ("", "/watch/", "/watch/", "/watch/", ""),
            ("", "/streams", "/streams", "/streams", ""),
            // A rewritten path: the program's own is elsewhere.
            ("", "/c/relay.cgi", "/watch/news.smil", "/c/relay.cgi", ""),
        ] {
            let found = Environment::new(|name| match name {
                "PATH_INFO" => Some(info.into()),
                "SCRIPT_NAME" => Some(script.into()),
                "REQUEST_URI" => Some(uri.into()),
                _ => None,
            });
            assert_eq!(found.path, path.as_bytes(), "{script} {uri}");
            assert_eq!(found.script, own.as_bytes(), "{script} {uri}");
        }
    }

    #[test]
    fn the_viewers_address_is_read_as_servers_write_it() {
        for (written, address) in [
            ("203.0.113.9", Some("203.0.113.9")),
            ("::ffff:203.0.113.9", Some("203.0.113.9")),
            ("fe80::1%eth0", Some("fe80::1")),
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
    fn quicktime_is_recognised_by_its_name() {
        assert!(with("HTTP_USER_AGENT", b"QuickTime/7.6.6 (qtver=7.6.6;os=Mac 10.5.8)").quicktime);
        assert!(!with("HTTP_USER_AGENT", b"MPlayer \xff").quicktime);
    }

    #[test]
    fn a_body_is_expected_unless_its_length_is_zero() {
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
    fn an_odd_host_name_is_ignored() {
        for name in ["dss1.example.org", "192.0.2.1", "[2001:db8::1]"] {
            assert_eq!(with("SERVER_NAME", name.as_bytes()).host.as_deref(), Some(name));
        }
        for odd in [&b""[..], b"a b", b"<b>", b"caf\xe9", &[b'x'; 256]] {
            assert_eq!(with("SERVER_NAME", odd).host, None);
        }
    }

    #[test]
    fn the_socket_is_the_default_unless_named() {
        assert_eq!(with("DYNRELAY_SOCKET", b"").socket, PathBuf::from(control::DEFAULT_SOCKET));
        assert_eq!(with("DYNRELAY_SOCKET", b"/run/x").socket, PathBuf::from("/run/x"));
    }
}
