//! Reads a request: the page, the metrics, or a file.

use cgi::{Asset, Environment};
use model::is_name;

use crate::html::{ICON, SCRIPT, STYLE};

/// The thing that a client asks for.
#[derive(Clone, Debug)]
pub(crate) enum Wanted {
    /// All relays and streams.
    Overview,
    /// One relay: its stream and its edge.
    Relay(String, String),
    /// The metrics, for Prometheus.
    Metrics,
    /// The relays as JSON, for scripts.
    Json,
    /// A file that the pages need.
    Asset(Asset),
    /// An unknown path.
    Nothing,
}

impl Wanted {
    /// Reads `…/status.cgi/relay/news/dss2`.
    pub(crate) fn read(environment: &Environment) -> Self {
        let path = environment.path.strip_prefix(b"/").unwrap_or(&environment.path);
        let Ok(path) = std::str::from_utf8(path) else { return Self::Nothing };
        let parts: Vec<&str> = path.split('/').collect();
        match parts[..] {
            [""] => Self::Overview,
            ["relay", stream, edge] if is_name(stream) && is_name(edge) => {
                Self::Relay(stream.to_owned(), edge.to_owned())
            }
            ["metrics"] => Self::Metrics,
            ["relays.json"] => Self::Json,
            [name] => {
                let asset = [STYLE, SCRIPT, ICON].into_iter().find(|asset| asset.name() == name);
                asset.map_or(Self::Nothing, Self::Asset)
            }
            _ => Self::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    fn read(path: &[u8]) -> String {
        let path = OsString::from_vec(path.to_vec());
        let environment = Environment::new(|name| (name == "PATH_INFO").then(|| path.clone()));
        format!("{:?}", Wanted::read(&environment))
    }

    #[test]
    fn a_path_is_one_thing_or_nothing() {
        assert_eq!((read(b""), read(b"/")), ("Overview".into(), "Overview".into()));
        assert_eq!(read(b"/relay/news.one/dss2"), r#"Relay("news.one", "dss2")"#);
        assert_eq!((read(b"/metrics"), read(b"/relays.json")), ("Metrics".into(), "Json".into()));
        assert!(read(b"/live.js").starts_with("Asset"));
        let long = [b"/relay/news/".as_slice(), &[b'x'; 65]].concat();
        for odd in [
            &b"//"[..],
            b"/relay",
            b"/relay/news",
            b"/relay/news/",
            b"/relay/news/dss2/",
            b"/relay/../dss2",
            b"/relay/news/<b>",
            b"/relay/n\xe9ws/dss2",
            b"/metrics/",
            b"/metric",
            b"/.style.css",
            &long,
        ] {
            assert_eq!(read(odd), "Nothing", "{}", String::from_utf8_lossy(odd));
        }
    }
}
