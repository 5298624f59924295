//! Reads a request: the stream, the format, or a page.

use cgi::{Environment, percent_decode};
use model::{MAX_NAME, is_name};
use playlist::Format;

use crate::page;
use crate::problem::Problem;

/// A viewer's request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// A page of the streams.
    List {
        /// Its number, from 1.
        page: usize,
        /// Text that a stream's name or title contains.
        search: String,
    },
    /// The page's style.
    Style,
    /// A stream to watch.
    Stream(String, Form),
}

/// How to send a player to a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// With a document.
    Document(Format),
    /// With a redirection to the stream's URL.
    Redirect,
}

impl Form {
    fn from_extension(extension: &str) -> Option<Self> {
        if extension.eq_ignore_ascii_case("redirect") {
            return Some(Self::Redirect);
        }
        Format::from_extension(extension).map(Self::Document)
    }
}

const DEFAULT: Form = Form::Document(Format::Smil);

impl Wanted {
    /// Reads `…/relay.cgi/news.smil`, or `?stream=news&format=smil`. The path takes precedence.
    pub(crate) fn read(environment: &Environment) -> Result<Self, Problem> {
        let path = environment.path.strip_prefix(b"/").unwrap_or(&environment.path);
        let query = &environment.query;
        if path == page::STYLE.name().as_bytes() {
            return Ok(Self::Style);
        }
        if !path.is_empty() {
            return match split_extension(path) {
                Some((stream, form)) => Ok(Self::Stream(name(stream)?, form)),
                None => Ok(Self::Stream(name(path)?, format(query)?)),
            };
        }
        match parameter(query, b"stream") {
            Some(stream) => Ok(Self::Stream(name(&stream)?, format(query)?)),
            // A player that asks for a document must not get the page.
            None if parameter(query, b"format").is_some() => Err(Problem::BadName),
            None => Ok(Self::List { page: page_number(query), search: search(query) }),
        }
    }
}

/// Reads `page=`. Anything but a number is the first page.
fn page_number(query: &[u8]) -> usize {
    let page = parameter(query, b"page");
    page.and_then(|page| std::str::from_utf8(&page).ok()?.parse().ok()).unwrap_or(1)
}

/// Reads `search=`: the first characters, if there are many.
fn search(query: &[u8]) -> String {
    let search = parameter(query, b"search").unwrap_or_default();
    String::from_utf8_lossy(&search).trim().chars().take(MAX_NAME).collect()
}

/// Splits `news.one.smil` into `news.one` and SMIL. None if it does not end in a known extension.
fn split_extension(path: &[u8]) -> Option<(&[u8], Form)> {
    let dot = path.iter().rposition(|byte| *byte == b'.')?;
    let (stream, extension) = path.split_at(dot);
    let extension = std::str::from_utf8(extension.get(1..)?).ok()?;
    Some((stream, Form::from_extension(extension)?))
}

/// Reads `format=`.
fn format(query: &[u8]) -> Result<Form, Problem> {
    let Some(format) = parameter(query, b"format") else { return Ok(DEFAULT) };
    std::str::from_utf8(&format).ok().and_then(Form::from_extension).ok_or(Problem::UnknownFormat)
}

fn name(bytes: &[u8]) -> Result<String, Problem> {
    let name = std::str::from_utf8(bytes).ok().filter(|text| is_name(text));
    name.map(str::to_owned).ok_or(Problem::BadName)
}

/// Whether the document is for QuickTime. The player says so itself, or the link does
/// (`player=quicktime`) if a browser fetches the document.
pub(crate) fn is_quicktime(environment: &Environment) -> bool {
    environment.quicktime
        || parameter(&environment.query, b"player").is_some_and(|player| player == b"quicktime")
}

/// The first parameter with this name in a query, decoded.
fn parameter(query: &[u8], name: &[u8]) -> Option<Vec<u8>> {
    query.split(|byte| *byte == b'&').find_map(|pair| {
        let mut parts = pair.splitn(2, |byte| *byte == b'=');
        let found = decode(parts.next()?) == name;
        found.then(|| decode(parts.next().unwrap_or_default()))
    })
}

/// Removes percent-encoding. `+` is a space.
fn decode(encoded: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> =
        encoded.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    percent_decode(&spaced)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;

    fn read(path: &[u8], query: &[u8]) -> Result<Wanted, Problem> {
        Wanted::read(&Environment::new(|name| match name {
            "PATH_INFO" => Some(OsString::from_vec(path.to_vec())),
            "QUERY_STRING" => Some(OsString::from_vec(query.to_vec())),
            _ => None,
        }))
    }

    fn stream(name: &str, form: Form) -> Result<Wanted, Problem> {
        Ok(Wanted::Stream(name.into(), form))
    }

    #[test]
    fn the_path_names_stream_and_form() {
        let m3u = Form::Document(Format::M3u);
        assert_eq!(read(b"/news.smil", b""), stream("news", DEFAULT));
        assert_eq!(read(b"/news.one.m3u", b"stream=x&format=ram"), stream("news.one", m3u));
        assert_eq!(read(b"/news.Redirect", b""), stream("news", Form::Redirect));
        assert_eq!(read(b"/news.SMI", b""), stream("news", DEFAULT));
        assert_eq!(read(b"/news.m3u8", b""), stream("news", m3u));
        assert_eq!(read(b"/news", b"format=m3u"), stream("news", m3u));
        assert_eq!(read(b"/news.sdp", b""), stream("news.sdp", DEFAULT));
        let longest = "x".repeat(64);
        assert_eq!(read(format!("/{longest}.smil").as_bytes(), b""), stream(&longest, DEFAULT));
    }

    #[test]
    fn the_query_names_stream_and_form() {
        for query in
            ["stream=news", "a=b&stream=news&stream=other", "str%65am=n%65ws", "&&stream=news&"]
        {
            assert_eq!(read(b"", query.as_bytes()), stream("news", DEFAULT), "{query}");
        }
        assert_eq!(read(b"/", b"stream=a&format=redirect"), stream("a", Form::Redirect));
        assert_eq!(read(b"", b"stream=news.m3u"), stream("news.m3u", DEFAULT));
        for query in ["", "f=\"a\"", "stre"] {
            assert_eq!(
                read(b"", query.as_bytes()),
                Ok(Wanted::List { page: 1, search: String::new() }),
                "{query}"
            );
        }
    }

    #[test]
    fn a_link_may_say_that_it_is_for_quicktime() {
        for (query, quicktime) in [("player=quicktime", true), ("a&player=vlc", false), ("", false)]
        {
            let query = |name: &str| (name == "QUERY_STRING").then(|| query.into());
            assert_eq!(is_quicktime(&Environment::new(query)), quicktime);
        }
    }

    #[test]
    fn text_that_is_no_name_is_refused() {
        let long = format!("/{}.smil", "x".repeat(65));
        for path in ["/.smil", "/..", "/.news.smil", "//news", "/a/b.smil", "/a b", "/a%62", &long]
        {
            assert_eq!(read(path.as_bytes(), b""), Err(Problem::BadName), "{path}");
        }
        assert_eq!(read(b"/caf\xe9", b""), Err(Problem::BadName));
        assert_eq!(read(b"/caf.\xe9", b""), Err(Problem::BadName));
        for query in [
            "stream",
            "stream=",
            "stream=a+b",
            "stream=%",
            "stream=%zz",
            "stream=%00",
            "format=m3u",
        ] {
            assert_eq!(read(b"", query.as_bytes()), Err(Problem::BadName), "{query}");
        }
    }

    #[test]
    fn an_unknown_format_is_refused() {
        for query in ["format", "format=", "format=%ff", "format=sdp"] {
            assert_eq!(read(b"/news", query.as_bytes()), Err(Problem::UnknownFormat), "{query}");
        }
    }
}
