//! Links to the program itself.

use std::fmt::Write;

/// The program's path for a link, from SCRIPT_NAME. It begins with exactly one slash, so it cannot
/// name another host, and does not end in one. It needs no escaping in HTML.
pub fn own_path(script: &[u8]) -> String {
    let encoded = percent_encode(script);
    match encoded.trim_matches('/') {
        "" => String::new(),
        path => format!("/{path}"),
    }
}

/// Encodes everything except slashes and the unreserved characters of RFC 3986. The result needs no
/// escaping in HTML.
pub fn percent_encode(bytes: &[u8]) -> String {
    let mut encoded = String::with_capacity(bytes.len());
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(byte) {
            encoded.push(char::from(*byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_stays_on_this_host_and_in_its_quotes() {
        for (script, path) in [
            (&b"/cgi-bin/relay.cgi"[..], "/cgi-bin/relay.cgi"),
            (b"//cgi \"<\xe9/relay.cgi/", "/cgi%20%22%3C%E9/relay.cgi"),
            (b"//evil.example.org", "/evil.example.org"),
            (b"/", ""),
            (b"", ""),
        ] {
            assert_eq!(own_path(script), path);
        }
    }
}
