//! The RTSP server that a stream is pulled from.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use serde::Deserialize;

use crate::url::is_authority;
use crate::watched::Watched;

/// The `source` of a NAME.toml: an RTSP URL, and who asks for it there. Neither `Display` nor
/// `Debug` shows the password, nor the query, where cameras take passwords too.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct RtspSource {
    /// Without user and password.
    url: String,
    user: Option<String>,
    password: Option<String>,
    /// Where the stream is sent, directly or through other streams.
    fed: BTreeSet<Watched>,
}

impl RtspSource {
    /// The URL, without user and password.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Who asks; none: nobody in particular.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The user's password.
    pub fn password(&self) -> Option<&str> {
        self.password.as_deref()
    }

    /// Whether both ask the same of the same server, wherever the stream is sent then.
    pub fn asks_like(&self, other: &Self) -> bool {
        (&self.url, &self.user, &self.password) == (&other.url, &other.user, &other.password)
    }

    /// Whether what this URL names at that server is sent there by us. No name is resolved when the
    /// catalogue is read, so it shows only then.
    pub fn is_fed_by_us(&self, server: IpAddr, url: &str) -> bool {
        self.fed.contains(&Watched::at(url).on(server))
    }

    /// The same, with all places where the stream is sent.
    pub(crate) fn feeding(self, fed: BTreeSet<Watched>) -> Self {
        Self { fed, ..self }
    }

    /// The same with this password.
    pub(crate) fn with_password(self, password: String) -> Self {
        Self { password: Some(password), ..self }
    }
}

impl fmt::Display for RtspSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.url.split_once('?') {
            Some((url, _)) => write!(f, "{url}?…"),
            None => f.write_str(&self.url),
        }
    }
}

impl fmt::Debug for RtspSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RtspSource({self})")
    }
}

impl TryFrom<String> for RtspSource {
    type Error = String;

    /// What is wrong is said without a quotation: there may be a password in it.
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
        Ok(Self { url: format!("rtsp://{place}{path}"), user, password, fed: BTreeSet::new() })
    }
}

/// A user or a password without its percents.
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
    fn user_and_password_come_out_of_the_url() {
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
    fn what_is_wrong_is_said_without_the_password() {
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
    }

    proptest! {
        #[test]
        fn any_text_is_taken_or_refused(text in "(rtsp://)?\\PC{0,60}") {
            if let Ok(source) = read(&text) {
                prop_assert!(source.url().is_ascii());
            }
        }
    }
}
