//! The RTSP server that a stream is pulled from, and the password for it.

use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fmt, fs};

use serde::Deserialize;

use super::rtsp_identity::RtspIdentity;
use crate::config::url::{is_authority, without_secrets};
use crate::file;
use crate::problem::Problem;

/// The longest password, in bytes.
const LONGEST: usize = 1024;

/// The `source` of a NAME.toml: an RTSP URL, with a user and a password if the server wants them.
/// Neither `Display` nor `Debug` shows a password, wherever it stands in the URL. Clones share their content.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct RtspSource(Arc<Inner>);

#[derive(Clone, PartialEq, Eq)]
struct Inner {
    /// Without user and password.
    url: String,
    user: Option<String>,
    password: Option<String>,
    transport: RtspTransport,
    /// Where the stream is sent, directly or through other streams.
    fed: Box<[RtspIdentity]>,
}

/// `transport` in NAME.toml: how the server sends its packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RtspTransport {
    /// Over UDP, or over TCP if UDP brings nothing.
    #[default]
    Auto,
    /// Over UDP only.
    Udp,
    /// Interleaved in the RTSP connection only.
    Tcp,
}

impl RtspSource {
    /// The URL, without user and password.
    pub fn url(&self) -> &str {
        &self.0.url
    }

    /// The user, if the URL names one.
    pub fn user(&self) -> Option<&str> {
        self.0.user.as_deref()
    }

    /// The user's password.
    pub fn password(&self) -> Option<&str> {
        self.0.password.as_deref()
    }

    /// How the server sends its packets.
    pub fn transport(&self) -> RtspTransport {
        self.0.transport
    }

    /// Whether both ask the same server for the same stream as the same user, in the same way.
    pub fn asks_like(&self, other: &Self) -> bool {
        let (one, two) = (&self.0, &other.0);
        let login = (&one.user, &one.password) == (&two.user, &two.password);
        login && (&one.url, one.transport) == (&two.url, two.transport)
    }

    /// Whether this origin itself sends the server the stream that `url` names, so that a pull would
    /// go round for ever. The server's address is known only when its name is resolved for the pull.
    pub fn is_fed_by_us(&self, server: IpAddr, url: &str) -> bool {
        self.0.fed.contains(&RtspIdentity::of(url).on(server))
    }

    /// This source, with all places where the stream is sent.
    pub(crate) fn feeding(self, fed: Box<[RtspIdentity]>) -> Self {
        Self(Inner { fed, ..Arc::unwrap_or_clone(self.0) }.into())
    }

    /// This source, with another transport.
    pub(crate) fn with_transport(self, transport: RtspTransport) -> Self {
        Self(Inner { transport, ..Arc::unwrap_or_clone(self.0) }.into())
    }

    /// This source, with the password that the file beside `toml` holds.
    pub(crate) fn with_password_file(self, password: &Path, toml: &Path) -> Result<Self, Problem> {
        if self.user().is_none() {
            let what = "has a `password_file` and no user: source = \"rtsp://user@host/…\"";
            return Err(Problem::error(toml, what));
        }
        if self.password().is_some() {
            let what = "has a password in `source` and a `password_file`: keep one of them";
            return Err(Problem::error(toml, what));
        }
        let file = beside(toml, password);
        let text = String::from_utf8(file::read(&file)?).unwrap_or_default();
        let password = text.trim_end_matches(['\r', '\n']);
        if !(1..=LONGEST).contains(&password.len()) || password.contains(char::is_control) {
            let what = format!("is not a password: one line of up to {LONGEST} bytes");
            return Err(Problem::error(&file, what));
        }
        let password = Some(password.to_owned());
        Ok(Self(Inner { password, ..Arc::unwrap_or_clone(self.0) }.into()))
    }

    /// Warns of a password that every user of this host can read, in `toml` or in the file beside it.
    pub(crate) fn exposed(&self, password: Option<&Path>, toml: &Path) -> Option<Problem> {
        if self.password().is_none() && without_secrets(self.url()) == self.url() {
            return None;
        }
        let file = password.map_or_else(|| toml.to_owned(), |password| beside(toml, password));
        let mode = fs::metadata(&file).ok()?.permissions().mode();
        let what = "holds a password, and everybody on this host can read it: chmod o-r";
        (mode & 0o004 != 0).then(|| Problem::warning(file, what))
    }
}

/// A path that is relative to the folder of `toml`.
fn beside(toml: &Path, file: &Path) -> PathBuf {
    toml.parent().unwrap_or(Path::new("")).join(file)
}

impl fmt::Display for RtspSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, query) = self.url().split_at(self.url().find('?').unwrap_or(self.url().len()));
        let shown = without_secrets(path);
        f.write_str(&shown)?;
        f.write_str(if query.is_empty() || shown != path { "" } else { "?…" })
    }
}

impl fmt::Debug for RtspSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RtspSource({self})")
    }
}

impl TryFrom<String> for RtspSource {
    type Error = String;

    /// Errors do not quote the URL, because it may contain a password.
    fn try_from(text: String) -> Result<Self, String> {
        let no = |why: &str| Err(format!("the source {why}"));
        let Some((scheme, rest)) = text.split_once("://") else {
            return no("is not a URL: write \"rtsp://host/stream\"");
        };
        if !scheme.eq_ignore_ascii_case("rtsp") {
            return no("must begin with rtsp://");
        }
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (login, place) = match authority.rsplit_once('@') {
            Some((login, place)) => (Some(login), place),
            None => (None, authority),
        };
        if path.contains('@') && path.contains(':') && login.is_none() && !is_authority(place) {
            return no("has a `/`, `?` or `#` in its user or password: write %2F, %3F or %23");
        }
        if !is_authority(place) {
            return no("has no host that can be read: a name, an IPv4 address, or [IPv6]");
        }
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~:/?[]@!$&'()*+,;=%".contains(&b);
        if !path.bytes().all(plain) {
            return no("has a path with characters that must be percent-encoded: %20 for a space");
        }
        let (user, password) = match login.map(|login| login.split_once(':').unwrap_or((login, "")))
        {
            None => (None, None),
            Some((user, password)) => (Some(decoded(user)?), Some(decoded(password)?)),
        };
        let password = password.filter(|password| !password.is_empty());
        let (url, fed) = (format!("rtsp://{place}{path}"), Box::default());
        let transport = RtspTransport::default();
        Ok(Self(Inner { url, user, password, transport, fed }.into()))
    }
}

/// A user or a password, percent-decoded.
fn decoded(text: &str) -> Result<String, String> {
    let no = || {
        "the source has a % in its user or password that two hexadecimal digits don't follow: \
         %25 is a %"
            .to_owned()
    };
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        rest = after;
        if *byte == b'%' {
            let (digits, after) = after.split_first_chunk::<2>().ok_or_else(no)?;
            let digit = |digit: u8| char::from(digit).to_digit(16);
            let number = digit(digits[0]).zip(digit(digits[1])).map(|(high, low)| high * 16 + low);
            bytes.push(number.and_then(|number| u8::try_from(number).ok()).ok_or_else(no)?);
            rest = after;
        } else {
            bytes.push(*byte);
        }
    }
    String::from_utf8(bytes)
        .ok()
        .filter(|text| !text.chars().any(char::is_control))
        .ok_or_else(|| "the source has a user or a password that is not plain text".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<RtspSource, String> {
        RtspSource::try_from(text.to_owned())
    }

    #[test]
    fn user_and_password_are_taken_from_the_url() {
        for (text, url, user, password) in [
            ("rtsp://cam/live", "rtsp://cam/live", None, None),
            ("RTSP://u:p@cam:8554", "rtsp://cam:8554", Some("u"), Some("p")),
            ("rtsp://u@cam/a?b=c&d=@", "rtsp://cam/a?b=c&d=@", Some("u"), None),
            ("rtsp://a%40b:c@d:%2f%C3%A9@[::1]/", "rtsp://[::1]/", Some("a@b"), Some("c@d:/é")),
        ] {
            let source = read(text).unwrap();
            assert_eq!((source.url(), source.user(), source.password()), (url, user, password));
        }
    }

    #[test]
    fn errors_do_not_show_the_password() {
        for text in [
            "secret",
            "http://u:secret@cam/",
            "rtsps://u:secret@cam/",
            "rtsp://u:secret@",
            "rtsp://u:secret@ca m/",
            "rtsp://u:secret/x@cam/live",
            "rtsp://u:secret@cam/a b",
            "rtsp://u:secret@cam/#x",
            "rtsp://u:secret%@cam/",
            "rtsp://u:secret%0a@cam/",
            "rtsp://u:secret%ff@cam/",
        ] {
            let why = read(text).unwrap_err();
            assert!(why.starts_with("the source ") && !why.contains("secret"), "{text}: {why}");
        }
    }

    #[test]
    fn nothing_shows_the_password() {
        let source = read("rtsp://u:secret@cam/live?user=u&password=secret").unwrap();
        assert_eq!(source.to_string(), "rtsp://cam/live?…");
        assert_eq!(format!("{source:?}"), "RtspSource(rtsp://cam/live?…)");
        let source = read("rtsp://cam/user=admin_password=secret_channel=1?x=secret").unwrap();
        assert_eq!(source.to_string(), "rtsp://cam/user=…");
        let source = read("rtsp://cam/live/Token=secret/x").unwrap();
        assert_eq!(source.to_string(), "rtsp://cam/live/Token=…");
        let shown = without_secrets("a=x rtsp://u:p@cam/a@b and rtsp://v@");
        assert_eq!(shown, "a=x rtsp://cam/a@b and rtsp://");
    }

    proptest! {
        #[test]
        fn any_text_is_accepted_or_refused(text in "(rtsp://)?\\PC{0,60}") {
            if let Ok(source) = read(&text) {
                prop_assert!(source.url().is_ascii());
            }
        }
    }
}
