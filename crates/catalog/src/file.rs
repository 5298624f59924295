//! Reads files whose content and kind nobody vouches for.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::problem::Problem;

/// The largest file of the streams folder, in bytes.
pub const MAX_FILE: usize = 64 * 1024;

/// Reads a regular file of at most [`MAX_FILE`] bytes.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Problem> {
    read_at_most(MAX_FILE, path).map_err(|error| Problem::error(path, why_unreadable(path, &error)))
}

/// Reads a regular file of at most `most` bytes.
pub(crate) fn read_at_most(most: usize, path: &Path) -> io::Result<Vec<u8>> {
    let no_file = || io::Error::other("it is a folder, a pipe or a device, not a file");
    // Checked before opening, because opening a device may have effects.
    if !fs::metadata(path)?.is_file() {
        return Err(no_file());
    }
    // Checked again, because the file may have been replaced. O_NONBLOCK: a pipe waits for its writer.
    let file = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(no_file());
    }
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    // The buffer has room for the whole file, so that one read takes all of it: several reads could
    // mix the content before an edit with that after it.
    let mut bytes = Vec::with_capacity(most + 1);
    file.take(limit).read_to_end(&mut bytes)?;
    if bytes.len() > most {
        return Err(io::Error::other(format!("it is larger than {most} bytes")));
    }
    Ok(bytes)
}

/// Explains a link that leads out of the folder: dynrelayd's own sandbox forbids to follow it.
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
