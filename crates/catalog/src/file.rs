//! Files of the streams folder, read with care: anything may lie there.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::problem::Problem;
use crate::sdp::{MAX_SDP, Session};

/// Reads a regular file of at most [`MAX_SDP`] bytes.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Problem> {
    read_at_most(MAX_SDP, path).map_err(|error| Problem::error(path, why_unreadable(path, &error)))
}

/// Reads a regular file of at most so many bytes.
pub(crate) fn read_at_most(most: usize, path: &Path) -> io::Result<Vec<u8>> {
    let no_file = || io::Error::other("it is a folder, a pipe or a device, not a file");
    // Asked before opening, since a device may act on it.
    if !fs::metadata(path)?.is_file() {
        return Err(no_file());
    }
    // And again, since another may be there by now. To open a pipe would wait for its writer.
    let file = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(no_file());
    }
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    // Room for all of it from the start: so a small file comes in one read, and is not pieced
    // together from what it held before and after an edit.
    let mut bytes = Vec::with_capacity(most + 1);
    file.take(limit).read_to_end(&mut bytes)?;
    if bytes.len() > most {
        return Err(io::Error::other(format!("it is larger than {most} bytes")));
    }
    Ok(bytes)
}

/// Says where a link leads that can't be followed: dynrelayd's own confinement ends at the folder.
fn why_unreadable(path: &Path, error: &io::Error) -> String {
    match fs::read_link(path) {
        Ok(target) if error.kind() == io::ErrorKind::PermissionDenied => format!(
            "leads to {}, which can't be read ({error}): dynrelayd follows no link out of the \
             folder, so put the file itself here",
            target.display().to_string().replace(char::is_control, "?")
        ),
        _ => format!("can't be read: {error}"),
    }
}

impl Session {
    /// Reads an SDP file.
    pub fn read(path: &Path) -> Result<Self, Problem> {
        Self::parse(&read(path)?).map_err(|error| Problem::error(path, error.what).at(error.line))
    }
}
