//! RTSP messages (RFC 2326, sections 4, 6 and 7): requests written, responses and requests read.

/// The longest body of a message, in bytes.
pub const MAX_BODY: usize = catalog::sdp::MAX_SDP;
/// How requests name their sender.
const AGENT: &str = concat!("dynrelay/", env!("CARGO_PKG_VERSION"));

/// The methods of RTSP. A message of a server begins with one of them, or with `RTSP/`.
pub(crate) const METHODS: [&str; 11] = [
    "OPTIONS",
    "GET_PARAMETER",
    "SET_PARAMETER",
    "ANNOUNCE",
    "REDIRECT",
    "DESCRIBE",
    "SETUP",
    "PLAY",
    "PAUSE",
    "RECORD",
    "TEARDOWN",
];

/// A request without a body, ready to be sent. CSeq is its first header: some servers answer 400
/// if it is not.
pub(crate) fn request(method: &str, url: &str, cseq: u32, headers: &[(&str, &str)]) -> Vec<u8> {
    let mut text = format!("{method} {url} RTSP/1.0\r\nCSeq: {cseq}\r\nUser-Agent: {AGENT}\r\n");
    for (name, value) in headers {
        text.extend([name, ": ", value, "\r\n"]);
    }
    text.push_str("\r\n");
    text.into_bytes()
}

/// A message from a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its kind.
    pub start: Start,
    headers: Vec<(String, String)>,
    /// Its body, at most [`MAX_BODY`] bytes.
    pub body: Vec<u8>,
}

/// The first line of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// A response with this status.
    Response(u16),
    /// A request of the server with this method.
    Request(String),
}

impl Message {
    /// Reads a head up to and without its blank line; `None` if it is no RTSP. Lines end in CRLF
    /// or LF; the status line may lack its reason phrase; lines that are no headers are skipped.
    pub(crate) fn parse(head: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(head);
        let mut lines = text.lines();
        let mut words = lines.next()?.split_ascii_whitespace();
        let first = words.next()?;
        let start = if first.starts_with("RTSP/") {
            let status: u16 = words.next()?.parse().ok()?;
            Start::Response(Some(status).filter(|status| (100..1000).contains(status))?)
        } else {
            words.next()?;
            words.next()?.strip_prefix("RTSP/")?;
            Start::Request(first.to_owned())
        };
        let header = |line: &str| {
            let (name, value) = line.split_once(':')?;
            Some((name.trim().to_owned(), value.trim().to_owned()))
        };
        Some(Self { start, headers: lines.filter_map(header).collect(), body: Vec::new() })
    }

    /// The length that `Content-Length` gives the body, 0 without one; an error if it is no number
    /// up to [`MAX_BODY`].
    pub(crate) fn body_length(&self) -> Result<usize, &str> {
        let Some(text) = self.header("Content-Length") else { return Ok(0) };
        text.parse().ok().filter(|length| *length <= MAX_BODY).ok_or(text)
    }

    /// The value of the first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers(name).next()
    }

    /// The values of all headers of this name.
    pub(crate) fn headers(&self, name: &str) -> impl Iterator<Item = &str> {
        let named = self.headers.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str())
    }

    /// The response to a request of the server. Only requests that ask whether anybody is there
    /// succeed.
    pub(crate) fn response(&self) -> Option<Vec<u8>> {
        let Start::Request(method) = &self.start else { return None };
        let status = match method.as_str() {
            "OPTIONS" | "GET_PARAMETER" | "SET_PARAMETER" => "200 OK",
            _ => "501 Not Implemented",
        };
        let cseq = self.header("CSeq").unwrap_or_default();
        Some(format!("RTSP/1.0 {status}\r\nCSeq: {cseq}\r\n\r\n").into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cseq_is_the_first_header_of_a_request() {
        let request = request("DESCRIBE", "rtsp://cam/", 7, &[("Accept", "application/sdp")]);
        let expected = format!(
            "DESCRIBE rtsp://cam/ RTSP/1.0\r\nCSeq: 7\r\nUser-Agent: {AGENT}\r\n\
             Accept: application/sdp\r\n\r\n"
        );
        assert_eq!(String::from_utf8(request).unwrap(), expected);
    }

    #[test]
    fn heads_are_read_as_servers_write_them() {
        for head in [
            "RTSP/1.0 200 OK\r\nCSeq: 1\r\nSERVER : x:y \r\n",
            "RTSP/1.0 200\nno header\nserver:x:y\n",
            "RTSP/2.0 200 All is\twell\r\nServer: x:y\r\nServer: z",
        ] {
            let message = Message::parse(head.as_bytes()).unwrap();
            assert_eq!(message.start, Start::Response(200));
            assert_eq!(message.header("Server"), Some("x:y"));
        }
        let asked = Message::parse(b"OPTIONS rtsp://h/x RTSP/1.0\r\nCSeq: 9\r\n").unwrap();
        assert_eq!(asked.response().unwrap(), b"RTSP/1.0 200 OK\r\nCSeq: 9\r\n\r\n");
        for bad in ["", "RTSP/1.0", "RTSP/1.0 OK", "RTSP/1.0 99", "HTTP/1.1 200 OK", "PLAY x"] {
            assert_eq!(Message::parse(bad.as_bytes()), None, "{bad}");
        }
    }
}
