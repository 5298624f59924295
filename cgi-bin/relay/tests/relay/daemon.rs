//! A stand-in for dynrelayd.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

/// A listening socket. It is removed after the test.
pub(crate) struct Daemon {
    path: PathBuf,
    /// The lines that it received.
    pub(crate) asked: Receiver<String>,
}

/// A path for a socket that no other test uses.
pub(crate) fn fresh_path() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("relay-cgi-{}-{number}", std::process::id()))
}

impl Daemon {
    /// Calls `serve` with each connection, after the connection's first line.
    pub(crate) fn serving(mut serve: impl FnMut(UnixStream) + Send + 'static) -> Self {
        let path = fresh_path();
        let listener = UnixListener::bind(&path).unwrap();
        let (tell, asked) = channel();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                let mut line = String::new();
                BufReader::new(&stream).read_line(&mut line).unwrap();
                if tell.send(line.trim_end().to_owned()).is_err() {
                    return;
                }
                serve(stream);
            }
        });
        Self { path, asked }
    }

    /// Answers every request with these bytes.
    pub(crate) fn saying(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        // A client that has read enough may hang up before the end.
        Self::serving(move |mut stream| drop(stream.write_all(&answer)))
    }

    /// Sends every viewer to this URL, and knows `news` and `news.one`.
    pub(crate) fn sending_to(url: &str) -> Self {
        let started = format!(
            r#"{{"ok":{{"url":"{url}","via":"edge","edge":"dss2","title":"The <News>","#,
        ) + r#""streams":[{"name":"news","title":"The <News>","media":["video H264"],"edges":[],"#
            + r#""relayed_to":[]},{"name":"news.one","media":[],"edges":[],"relayed_to":[]}]}}"#
            + "\n";
        Self::saying(started)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The lines that it received. Call it after the last request.
    pub(crate) fn questions(&self) -> Vec<String> {
        self.asked.try_iter().collect()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}
