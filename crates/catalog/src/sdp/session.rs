//! A whole SDP file.

use std::path::Path;
use std::sync::Arc;

use super::connection::{Connection, SourceFilter};
use super::format::MediaFormat;
use super::line::{self, MAX_LINES, SdpError};
use super::media::{Media, bandwidth};
use crate::file::{self, MAX_FILE};
use crate::problem::Problem;

/// The most media of a session. The lines of the session's part are copied to each, so without a
/// limit a small file could take much memory.
const MAX_MEDIA: usize = 256;

/// The content of an SDP file that relaying needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The name of the `s=` line; empty if there is none.
    pub name: String,
    /// `a=control` of the session's part: the URL of all tracks together in RTSP.
    pub control: Option<String>,
    /// The media, in order.
    pub media: Vec<Media>,
    original: Box<[u8]>,
}

/// A title without control characters, marks that reorder text, and characters that XML forbids.
pub(crate) fn cleaned(title: &str) -> String {
    let bad = |letter: char| {
        letter.is_control()
            || matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}')
            || matches!(letter, '\u{2066}'..='\u{2069}' | '\u{fffe}' | '\u{ffff}')
    };
    title.replace(bad, "").trim().to_owned()
}

impl Session {
    /// Reads an SDP file.
    pub fn read(path: &Path) -> Result<Self, Problem> {
        let bytes = file::read(path)?;
        Self::parse(&bytes).map_err(|error| Problem::error(path, error.what).at(error.line))
    }

    /// Reads SDP. Lines may come in any order within their part, and lines that relaying doesn't use
    /// may be wrong or missing. A line that isn't SDP, or whose address, port or filter can't be read,
    /// is an error, so that no media is lost unnoticed.
    pub fn parse(bytes: &[u8]) -> Result<Self, SdpError> {
        if bytes.len() > MAX_FILE {
            let what = format!("the file has {} bytes; SDP is at most {MAX_FILE}", bytes.len());
            return Err(SdpError { line: 1, what });
        }
        let mut session =
            Self { name: String::new(), control: None, media: Vec::new(), original: bytes.into() };
        let mut connections: Vec<Connection> = Vec::new();
        let mut filters: Vec<SourceFilter> = Vec::new();
        let mut rate = None;
        let mut lines = line::lines(bytes);
        // Another file is not quoted: a link in the folder could make root print a file that only root
        // may read.
        let other = |line: usize| SdpError {
            line,
            what: "this is not SDP, which begins with `v=0`".into(),
        };
        match lines.next() {
            Some(Ok(first)) if first.key == 'v' && first.value.trim() == "0" => {}
            Some(Ok(first)) => return Err(other(first.number)),
            Some(Err(error)) => return Err(other(error.line)),
            None => return Err(SdpError { line: 1, what: "the file is empty".into() }),
        }
        for line in lines {
            let line = line?;
            match (line.key, session.media.last_mut()) {
                ('m', _) => line.push(&mut session.media, Media::read(&line)?, MAX_MEDIA)?,
                ('v', _) => return Err(line.error("a second `v=`: this is more than one SDP")),
                (_, Some(media)) => media.add(&line)?,
                ('c', None) => line.push(&mut connections, Connection::read(&line)?, MAX_LINES)?,
                ('b', None) => rate = bandwidth(&line.value).or(rate),
                ('s', None) => session.name = cleaned(&line.value),
                ('a', None) => match line.attribute() {
                    Some(("source-filter", value)) => {
                        line.push(&mut filters, SourceFilter::read(&line, value)?, MAX_LINES)?;
                    }
                    Some(("control", value)) => session.control = Some(value.to_owned()),
                    _ => {}
                },
                _ => {}
            }
        }
        for media in &mut session.media {
            if media.connections.is_empty() {
                media.connections.clone_from(&connections);
            }
            if media.source_filters.is_empty() {
                media.source_filters.clone_from(&filters);
            }
        }
        // With several media it is their sum.
        if let [media] = &mut session.media[..] {
            media.bandwidth = media.bandwidth.or(rate);
        }
        Ok(session)
    }

    /// The media that a relay carries, each with its number in the file, counted from 1. Sections that
    /// are not RTP are left out.
    pub fn relayed(&self) -> impl Iterator<Item = (usize, &Media)> {
        (1..).zip(&self.media).filter(|(_, media)| media.is_rtp_of_any_kind())
    }

    /// The kind and formats of each media that a relay carries, in order.
    pub fn formats(&self) -> Vec<Arc<MediaFormat>> {
        self.relayed().map(|(_, media)| Arc::new(media.format())).collect()
    }

    /// The file as it was, byte by byte.
    pub fn original(&self) -> &[u8] {
        &self.original
    }

    /// The session's name, if it is one: encoders without a name write `-`, a space, or words such as
    /// `No Name`.
    pub fn title(&self) -> Option<&str> {
        const NONE: [&str; 5] = ["", "-", "no name", "unnamed", "untitled"];
        let name = self.name.trim();
        (!NONE.iter().any(|none| name.eq_ignore_ascii_case(none))).then_some(name)
    }
}
