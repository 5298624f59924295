//! The list of streams, for a browser.

use std::fmt::Write;

use cgi::Response;
use cgi::http::{HeaderValue, header};
use control::StreamList;
use playlist::{Format, escape};

/// A page with links to every stream in every format. `script` is the program's own path.
pub(crate) fn list(list: &StreamList, script: &[u8]) -> Response {
    let mut rows = String::new();
    for stream in &list.streams {
        let title = stream.title.as_deref().unwrap_or(&stream.name);
        let media = stream.media.join(", ");
        let _ = write!(rows, "<dt>{}</dt>\n<dd>{}<br>\n", escape(title), escape(&media));
        let path = format!("{}/{}", path(script), percent_encode(stream.name.as_bytes()));
        for extension in Format::ALL.map(Format::extension).iter().chain(&["redirect"]) {
            let _ = writeln!(rows, "<a href=\"{path}.{extension}\">{extension}</a>");
        }
        rows.push_str("</dd>\n");
    }
    let streams = match rows.is_empty() {
        true => "<p>There are no streams.</p>\n".to_owned(),
        false => format!("<dl>\n{rows}</dl>\n"),
    };
    let page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <title>Streams</title>\n</head>\n<body>\n<h1>Streams</h1>\n{streams}</body>\n</html>\n"
    );
    let mut response = cgi::html_response(200, page);
    let policy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    response
        .headers_mut()
        .insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    response
}

/// The program's path for a link: with one slash in front, so that it can't name another host, and
/// none behind.
fn path(script: &[u8]) -> String {
    let encoded = percent_encode(script);
    match encoded.trim_matches('/') {
        "" => String::new(),
        path => format!("/{path}"),
    }
}

/// Encodes all but the unreserved characters of RFC 3986 and slashes, so that what comes out needs
/// no escaping in HTML.
fn percent_encode(bytes: &[u8]) -> String {
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
    use control::StreamStatus;

    fn page(name: &str, title: Option<&str>, script: &[u8]) -> String {
        let stream = StreamStatus {
            name: name.into(),
            title: title.map(Into::into),
            media: vec!["video H264".into(), "<b>".into()],
            edges: vec!["dss2".into()],
            relayed_to: vec![],
        };
        String::from_utf8(list(&StreamList { streams: vec![stream] }, script).into_body()).unwrap()
    }

    #[test]
    fn everything_is_escaped() {
        let page = page("a\"b", Some("<script>alert('1')</script>"), b"//cgi \"<\xe9/relay.cgi/");
        assert!(page.contains("&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;"), "{page}");
        assert!(page.contains("href=\"/cgi%20%22%3C%E9/relay.cgi/a%22b.smil\""), "{page}");
        assert!(page.contains("video H264, &lt;b&gt;"), "{page}");
    }

    #[test]
    fn a_stream_is_linked_in_every_format() {
        let page = page("news", None, b"/cgi-bin/relay.cgi");
        for extension in ["smil", "qtl", "ram", "m3u", "xspf", "redirect"] {
            let href = format!("href=\"/cgi-bin/relay.cgi/news.{extension}\"");
            assert!(page.contains(&href), "{page}");
        }
        assert!(!page.contains("dss2"), "{page}");
    }

    #[test]
    fn no_streams_is_said() {
        let page = list(&StreamList::default(), b"").into_body();
        assert!(String::from_utf8(page).unwrap().contains("There are no streams."));
    }
}
