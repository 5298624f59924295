//! Whether an RTSP server answers. It is asked for its OPTIONS, which open no port of any server; a
//! DESCRIBE would open a Darwin Streaming Server's for good.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// How long each of connecting, asking and answering may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// The most of an answer that is read, in bytes.
const LONGEST: u64 = 16 * 1024;
/// The ports of RTSP and of RTSP over TLS (RFC 7826, 4.2).
const PORTS: [(&str, u16); 2] = [("rtsp", 554), ("rtsps", 322)];

/// What to do about a server that doesn't answer.
pub(crate) const ADVICE: &str = "is the server up, and can this host, not only viewers, reach that host \
    and port? dynrelayd sends no viewer where nobody answers";

/// Asks the server at an `rtsp:` URL; gives the status line and the server's name. Over TLS that
/// somebody takes the connection has to do.
pub(crate) fn options(url: &str) -> io::Result<String> {
    let stream = connect(url)?;
    if url.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("rtsps:")) {
        return Ok("it takes connections (TLS)".to_owned());
    }
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let agent = concat!("dynrelay/", env!("CARGO_PKG_VERSION"));
    let request = format!("OPTIONS {url} RTSP/1.0\r\nCSeq: 1\r\nUser-Agent: {agent}\r\n\r\n");
    (&stream).write_all(request.as_bytes())?;
    answer(BufReader::new(stream.take(LONGEST)))
}

fn connect(url: &str) -> io::Result<TcpStream> {
    let invalid = || io::Error::new(io::ErrorKind::InvalidInput, "that is no RTSP URL");
    let (scheme, rest) = url.split_once("://").ok_or_else(invalid)?;
    let authority = rest.split('/').next().unwrap_or(rest);
    let default = PORTS.iter().find(|(name, _)| scheme.eq_ignore_ascii_case(name));
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().map_err(|_| invalid())?),
        _ => (authority, default.ok_or_else(invalid)?.1),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let mut last = io::Error::new(io::ErrorKind::NotFound, "its name has no address");
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Reads up to the empty line.
fn answer(lines: impl BufRead) -> io::Result<String> {
    let mut lines = lines.lines();
    let status = lines.next().transpose()?.unwrap_or_default();
    let Some(status) = status.trim().strip_prefix("RTSP/") else {
        return Err(io::Error::other("what listens there does not speak RTSP"));
    };
    let status = status.split_once(' ').map_or(status, |(_, status)| status).to_owned();
    for line in lines {
        let line = line?;
        match line.split_once(':') {
            _ if line.trim().is_empty() => break,
            Some((name, value)) if name.eq_ignore_ascii_case("server") => {
                return Ok(format!("{status}, {}", value.trim()));
            }
            _ => {}
        }
    }
    Ok(status)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_server_says_what_it_is() {
        let read = |text: &str| answer(BufReader::new(text.as_bytes()));
        let dss = "RTSP/1.0 200 OK\r\nServer: DSS/6.0.3\r\nCseq: 1\r\n\r\nServer: x";
        assert_eq!(read(dss).unwrap(), "200 OK, DSS/6.0.3");
        assert_eq!(read("RTSP/1.0 405 No\r\n\r\n").unwrap(), "405 No");
        for other in ["", "HTTP/1.1 400 Bad Request\r\n\r\n"] {
            assert!(read(other).is_err(), "{other}");
        }
    }

    #[test]
    fn one_that_is_asked_answers() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("rtsp://{}/live", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let mut line = String::new();
            BufReader::new(&stream).read_line(&mut line).unwrap();
            (&stream).write_all(b"RTSP/1.0 200 OK\r\n\r\n").unwrap();
            line
        });
        assert_eq!(options(&url).unwrap(), "200 OK");
        assert_eq!(server.join().unwrap(), format!("OPTIONS {url} RTSP/1.0\r\n"));
        assert!(options("nothing").is_err());
    }
}
