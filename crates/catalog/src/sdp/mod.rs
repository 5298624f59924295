//! SDP (RFC 8866) as it is met in the wild.
//!
//! The lines are told apart here, and the grammar of the single `m=` and `c=` lines is left to
//! `sdp-rs`. Its reader for whole files is not used: it drops, with no word said, whatever
//! follows a line that is out of the RFC's order (an old server's `b=` after `t=` is enough to
//! lose every media), panics on large numbers in `r=` and `z=`, and takes quadratic time where
//! lines end in LF alone. One line at a time it can do none of that. Numbers are read here too,
//! for it allows only 255 ports, and an rtpmap in which a clock is missing is met often.

mod connection;
mod format;
mod line;
mod media;
mod offer;
mod source_filter;
mod view;

use line::Line;

pub use connection::Connection;
pub use format::Format;
pub use media::{Media, RtcpAddress};
pub(crate) use offer::Ports;
pub use source_filter::SourceFilter;

/// The largest SDP file that is read, in bytes.
pub const MAX_SDP: usize = 64 * 1024;

/// The most medias of a session. What the session's part says is copied to each, so that without
/// a limit a small file could take much memory.
const MAX_MEDIA: usize = 256;

/// The most `c=` lines, and the most source filters, of a part.
const MAX_LINES: usize = 64;

/// What an SDP file says, as far as relaying goes. Serialises as `dynrelay sdp show` prints it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The name of the `s=` line; empty if there is none.
    pub name: String,
    /// The source filters of the session's part; each media has those that count for it.
    pub source_filters: Vec<SourceFilter>,
    /// `a=control` of the session's part: all tracks together in RTSP.
    pub control: Option<String>,
    /// The medias, in order.
    pub media: Vec<Media>,
    original: Box<[u8]>,
}

/// Why a file is not SDP, or not such that anything could be relayed by it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct SdpError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: String,
}

impl Session {
    /// Reads SDP. Lines may come in any order within their part, and those that relaying has no
    /// use for may be wrong or absent; but a line that isn't SDP, or that says where media go in
    /// a way that can't be read, is an error, so that no media is lost in silence.
    pub fn parse(bytes: &[u8]) -> Result<Self, SdpError> {
        if bytes.len() > MAX_SDP {
            let what = format!("the file has {} bytes; SDP is at most {MAX_SDP}", bytes.len());
            return Err(SdpError { line: 1, what });
        }
        let mut session = Self {
            name: String::new(),
            source_filters: vec![],
            control: None,
            media: vec![],
            original: bytes.into(),
        };
        let mut connections = Vec::new();
        let mut bandwidth = None;
        let mut lines = line::lines(bytes);
        match lines.next().transpose()? {
            Some(first) if first.key == 'v' && first.value.trim() == "0" => {}
            Some(first) => return Err(first.error("SDP begins with `v=0`")),
            None => return Err(SdpError { line: 1, what: "the file is empty".into() }),
        }
        for line in lines {
            let line = line?;
            match (line.key, session.media.last_mut()) {
                ('m', _) => push(&mut session.media, Media::read(&line)?, MAX_MEDIA, &line)?,
                ('v', _) => return Err(line.error("a second `v=`: this is more than one SDP")),
                (_, Some(media)) => media.add(&line)?,
                ('c', None) => push(&mut connections, Connection::read(&line)?, MAX_LINES, &line)?,
                ('b', None) => bandwidth = media::bandwidth(&line.value).or(bandwidth),
                ('s', None) => session.name = line.value.trim().to_owned(),
                ('a', None) => match line.attribute() {
                    Some(("source-filter", value)) => {
                        let filter = SourceFilter::read(&line, value)?;
                        push(&mut session.source_filters, filter, MAX_LINES, &line)?;
                    }
                    Some(("control", value)) => session.control = Some(value.to_owned()),
                    _ => {}
                },
                _ => {}
            }
        }
        session.inherit(&connections);
        // Of several medias it is the sum.
        if let [media] = &mut session.media[..] {
            media.bandwidth = media.bandwidth.or(bandwidth);
        }
        Ok(session)
    }

    /// Gives each media what it doesn't say itself.
    fn inherit(&mut self, connections: &[Connection]) {
        for media in &mut self.media {
            if media.connections.is_empty() {
                media.connections = connections.to_vec();
            }
            if media.source_filters.is_empty() {
                media.source_filters.clone_from(&self.source_filters);
            }
        }
    }

    /// The file as it was, byte by byte.
    pub fn original(&self) -> &[u8] {
        &self.original
    }

    /// The session's name if it says anything: encoders that were told none write `-`, a space,
    /// or words to that effect.
    pub fn title(&self) -> Option<&str> {
        const NONE: [&str; 5] = ["", "-", "no name", "unnamed", "untitled"];
        let name = self.name.trim();
        (!NONE.iter().any(|none| name.eq_ignore_ascii_case(none))).then_some(name)
    }
}

/// Adds what `line` says to a list that may grow to `most`.
fn push<T>(list: &mut Vec<T>, item: T, most: usize, line: &Line) -> Result<(), SdpError> {
    if list.len() >= most {
        return Err(line.error(format!("more than {most} of these lines are a mistake")));
    }
    list.push(item);
    Ok(())
}
