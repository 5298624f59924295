//! A strict parser for the output of a CGI program (RFC 3875 section 6).

use std::collections::BTreeMap;

/// A parsed answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// Headers by lower-case name.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let end = bytes.windows(2).position(|pair| pair == b"\n\n").ok_or("no end of header")?;
        let header = std::str::from_utf8(&bytes[..end]).map_err(|_| "header not UTF-8")?;
        let body = bytes[end + 2..].to_vec();
        let mut headers = BTreeMap::new();
        for line in header.split('\n') {
            let (name, value) = line.split_once(": ").ok_or(format!("no header: {line:?}"))?;
            let token = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
            let visible = |byte: u8| (b' '..=b'~').contains(&byte);
            if name.is_empty() || !name.bytes().all(token) || !value.bytes().all(visible) {
                return Err(format!("not a header: {line:?}"));
            }
            if headers.insert(name.to_ascii_lowercase(), value.to_owned()).is_some() {
                return Err(format!("twice: {line:?}"));
            }
        }
        let status = headers.remove("status").ok_or("no status")?;
        let (status, _reason) = status.split_once(' ').ok_or("no reason")?;
        let length = headers.get("content-length").map(|length| length.parse());
        match length {
            Some(length) if length != Ok(body.len()) => return Err(format!("length {length:?}")),
            None if !body.is_empty() => return Err("a body of no length".into()),
            _ => {}
        }
        for (name, values) in [
            ("cache-control", &["no-store", "max-age=86400"][..]),
            ("x-content-type-options", &["nosniff"]),
        ] {
            if !headers.get(name).is_some_and(|value| values.contains(&value.as_str())) {
                return Err(format!("{name} is not {}", values.join(" or ")));
            }
        }
        if !headers.contains_key("content-type") {
            return Err("no content type".into());
        }
        let status = status.parse().map_err(|_| format!("status {status:?}"))?;
        Ok(Self { status, headers, body })
    }

    /// A header's value, empty if there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}
