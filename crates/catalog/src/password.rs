//! A source's password, where it lies in a file of its own; and whether others may read it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::file;
use crate::problem::Problem;
use crate::rtsp_source::RtspSource;
use crate::stream::Settings;

/// The longest password, in bytes.
const LONGEST: usize = 1024;

/// Gives the source of a NAME.toml the password of its `password_file`.
pub(crate) fn fetch(settings: Settings, toml: &Path) -> Result<Settings, Problem> {
    let wrong = |what: &str| Problem::error(toml, what);
    let Some(path) = place(&settings, toml) else { return Ok(settings) };
    let source = match settings.source {
        None => return Err(wrong("has a `password_file` and no `source`")),
        Some(source) if source.user().is_none() => {
            return Err(wrong(
                "has a `password_file` and no user: source = \"rtsp://user@host/…\"",
            ));
        }
        Some(source) if source.password().is_some() => {
            return Err(wrong(
                "has a password in `source` and a `password_file`: keep one of them",
            ));
        }
        Some(source) => source,
    };
    let read = String::from_utf8(file::read(&path)?).ok();
    let password = read.as_deref().map(|text| text.trim_end_matches(['\r', '\n']));
    let good =
        |text: &&str| (1..=LONGEST).contains(&text.len()) && !text.contains(char::is_control);
    let password = password.filter(good).ok_or_else(|| {
        Problem::error(&path, format!("is not a password: one line of up to {LONGEST} bytes"))
    })?;
    let source = Some(source.with_password(password.to_owned()));
    Ok(Settings { source, ..settings })
}

/// Warns of a password that everybody on this host can read.
pub(crate) fn exposed(settings: &Settings, toml: &Path) -> Option<Problem> {
    settings.source.as_ref().and_then(RtspSource::password)?;
    let file = place(settings, toml).unwrap_or_else(|| toml.to_owned());
    let mode = fs::metadata(&file).ok()?.permissions().mode();
    let what = "holds a password, and everybody on this host can read it: chmod o-r";
    (mode & 0o004 != 0).then(|| Problem::warning(file, what))
}

/// Where the password's file is: a relative path starts from the folder of NAME.toml.
fn place(settings: &Settings, toml: &Path) -> Option<PathBuf> {
    let file = settings.password_file.as_ref()?;
    Some(toml.parent().unwrap_or(Path::new("")).join(file))
}
