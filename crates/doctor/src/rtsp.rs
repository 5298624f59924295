//! The question to an edge's RTSP server: OPTIONS, which opens no port of any server.

use std::time::Duration;

use ::rtsp::{Answer, Error, Question, ask};

/// How long a server may take to connect and answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// The advice about a server that does not answer.
pub(crate) const ADVICE: &str = "is the server up, and can this host, not only viewers, reach that host \
    and port? dynrelayd sends no viewer where nobody answers";

/// Asks the server at an RTSP URL for its options; returns its status and name, for people.
pub(crate) fn options(url: &str) -> Result<String, Error> {
    Ok(match ask(url, Question::Options, PATIENCE)? {
        Answer::Listens => "it takes connections (TLS)".to_owned(),
        Answer::Status { code, server } => {
            let status = if code == 200 { "200 OK".to_owned() } else { format!("RTSP {code}") };
            status + &server.map(|server| format!(", {server}")).unwrap_or_default()
        }
    })
}
