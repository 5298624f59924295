//! A page for a browser, its links, and the files that it loads.

use std::fmt::Write;

use cgi_response::Response;
use cgi_response::http::{StatusCode, header};

use crate::set;

/// A style, a script or an icon that the program itself serves. Its link changes with its content, so
/// that a browser may keep it.
#[derive(Clone, Copy, Debug)]
pub struct Asset {
    name: &'static str,
    content_type: &'static str,
    text: &'static str,
}

impl Asset {
    /// A file with this name, below the program's own path.
    pub const fn new(name: &'static str, content_type: &'static str, text: &'static str) -> Self {
        Self { name, content_type, text }
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The link to it. `own` is the program's path as [`own_path`] gives it.
    pub fn href(&self, own: &str) -> String {
        // FNV-1a, which differs between releases if the text does.
        let fingerprint = self.text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        format!("{own}/{}?{fingerprint:016x}", self.name)
    }

    /// The response with the file. Browsers may keep it for a day.
    pub fn response(&self) -> Response {
        let body = self.text.as_bytes().to_vec();
        let mut response = cgi_response::binary_response(200, self.content_type, body);
        set(&mut response, header::CACHE_CONTROL, "max-age=86400");
        response
    }
}

/// A page, well-formed as HTML and as XML. All its parts are HTML: its maker has escaped any text.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// The program's own path, as [`own_path`] gives it.
    pub own: &'a str,
    /// Its title.
    pub title: &'a str,
    /// Its style.
    pub style: &'a Asset,
    /// Its script, if it has one.
    pub script: Option<&'a Asset>,
    /// Its icon, if it has one.
    pub icon: Option<&'a Asset>,
    /// More elements of its head.
    pub head: &'a str,
    /// Its body.
    pub body: &'a str,
}

impl Page<'_> {
    /// The response with the page. A browser loads only the assets named here, from this host, and
    /// runs no script inside the page, whatever is in it.
    pub fn response(&self, status: StatusCode) -> Response {
        let Self { own, title, style, head, body, .. } = self;
        let style = format!("<link rel=\"stylesheet\" href=\"{}\"/>\n", style.href(own));
        let icon = self.icon.map(|icon| icon.href(own));
        let icon = icon.map(|href| format!("<link rel=\"icon\" href=\"{href}\"/>\n"));
        let script = self.script.map(|script| script.href(own));
        let script = script.map(|src| format!("<script src=\"{src}\" defer=\"\"></script>\n"));
        let (icon, script) = (icon.unwrap_or_default(), script.unwrap_or_default());
        let html = format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
             <meta name=\"color-scheme\" content=\"light dark\"/>\n<title>{title}</title>\n\
             {style}{icon}{script}{head}</head>\n<body>\n{body}</body>\n</html>\n"
        );
        let script = self.script.map_or("", |_| "script-src 'self'; connect-src 'self'; ");
        let icon = self.icon.map_or("", |_| "img-src 'self'; ");
        let policy = format!(
            "default-src 'none'; {script}{icon}style-src 'self'; base-uri 'none'; \
             form-action 'self'; frame-ancestors 'none'"
        );
        let mut response = cgi_response::html_response(status, html);
        set(&mut response, header::CONTENT_SECURITY_POLICY, &policy);
        set(&mut response, header::REFERRER_POLICY, "no-referrer");
        response
    }
}

/// The program's path for links, from SCRIPT_NAME. It has one slash in front, so that it cannot name
/// another host, and none at the end. It needs no escaping in HTML.
pub fn own_path(script: &[u8]) -> String {
    let encoded = percent_encode(script);
    match encoded.trim_matches('/') {
        "" => String::new(),
        path => format!("/{path}"),
    }
}

/// Encodes all bytes except slashes and the unreserved characters of RFC 3986. The result needs no
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

/// Removes percent-encoding. A `%` without two digits stays.
pub fn percent_decode(encoded: &[u8]) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut decoded = Vec::with_capacity(encoded.len());
    let mut rest = encoded;
    while let [first, after @ ..] = rest {
        rest = after;
        let mut byte = *first;
        if let (b'%', [high, low, after @ ..]) = (first, after)
            && let (Some(high), Some(low)) = (digit(*high), digit(*low))
        {
            (byte, rest) = (high << 4 | low, after);
        }
        decoded.push(byte);
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_text_has_another_link_and_may_be_kept() {
        let asset = |text| Asset::new("style.css", "text/css", text);
        assert_eq!(asset("").href("/x.cgi"), "/x.cgi/style.css?cbf29ce484222325");
        assert_ne!(asset("a").href(""), asset("b").href(""));
        let response = asset("b{}").response();
        assert_eq!(response.headers()[header::CACHE_CONTROL], "max-age=86400");
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/css");
    }

    #[test]
    fn a_page_may_load_only_what_it_names() {
        let asset = Asset::new("a", "text/css", "");
        let mut page = Page {
            own: "/x.cgi",
            title: "X",
            style: &asset,
            script: None,
            icon: None,
            head: "",
            body: "<p>",
        };
        let bare = page.response(StatusCode::OK);
        let policy = bare.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'self'; base-uri"), "{policy}");
        page.script = Some(&asset);
        page.icon = Some(&asset);
        let full = page.response(StatusCode::OK);
        let policy = full.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe"), "{policy}");
        let html = String::from_utf8(full.into_body()).unwrap();
        assert!(html.contains("<script src=\"/x.cgi/a?cbf29ce484222325\" defer=\"\"></script>"));
    }

    #[test]
    fn a_link_stays_on_this_host_and_in_its_quotes() {
        for (script, path) in [
            (&b"/cgi-bin/relay.cgi"[..], "/cgi-bin/relay.cgi"),
            (b"//cgi \"<\xe9/relay.cgi/", "/cgi%20%22%3C%E9/relay.cgi"),
            (b"//evil.example.org", "/evil.example.org"),
            (b"/", ""),
        ] {
            assert_eq!(own_path(script), path);
        }
    }

    #[test]
    fn percent_encoding_is_removed_once() {
        assert_eq!(percent_decode(b"a+b%2Bc%2bd%252B%4"), b"a+b+c+d%2B%4");
        assert_eq!(percent_decode(b"%+1%"), b"%+1%");
    }
}
