//! Decides whether this program or dynrelayd listens to a stream.
//!
//! Only one program can have a unicast port, and while dynrelayd runs it has the port, or may need it
//! any moment. So this program asks dynrelayd to scan there. Relays lose no packet by that.

use std::io;
use std::net::UdpSocket;
use std::time::Duration;

use ::scan::{Media, Scan};
use catalog::Stream;
use control::{ClientError, ErrorCode, Request, ScanAnswer, ScanFault, ScanResult, ScannedStream};
use serde_json::value::RawValue;

use crate::context::Ask;

/// Whether dynrelayd scans for this user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Daemon {
    /// It doesn't run, or isn't needed.
    Away,
    /// No: it scans only for root and its own user.
    Refuses,
    /// It failed to answer, for this reason.
    Fails(String),
    /// Yes, these streams.
    Scans(ScanAnswer),
}

/// The program that listens to a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listener {
    /// This program, on a data plane of its own.
    Own,
    /// dynrelayd.
    Daemon,
    /// Nobody.
    Nobody,
}

impl Daemon {
    /// Asks whether it scans these streams.
    pub(crate) fn ask(daemon: &mut dyn Ask, streams: Vec<String>) -> Self {
        if streams.is_empty() {
            return Self::Away;
        }
        match request(daemon, streams, Duration::ZERO, false) {
            Ok(answer) => Self::Scans(answer),
            Err(ClientError::Unreachable { source, .. }) if is_away(&source) => Self::Away,
            Err(error) if is_forbidden(&error) => Self::Refuses,
            Err(error) => Self::Fails(error.to_string()),
        }
    }

    /// Chooses who listens to a stream with these media, and says why nobody can. The media may be
    /// replaced by those of the stream's replica.
    pub(crate) fn choose(
        &self,
        stream: &Stream,
        media_list: &mut Vec<Media>,
    ) -> (Listener, Option<ScanFault>) {
        let at = || {
            let sources = media_list.iter().flat_map(|media| &media.sources);
            sources.map(ToString::to_string).collect::<Vec<_>>().join(", ")
        };
        match self {
            _ if !is_of_host(media_list) => (Listener::Own, None),
            Self::Scans(answer) => {
                match answer.streams.iter().find(|one| one.name == stream.name) {
                    Some(scanned) if is_of(scanned, media_list) => (Listener::Daemon, None),
                    Some(scanned) => (Listener::Nobody, Some(stale(scanned))),
                    None => (Listener::Own, None),
                }
            }
            Self::Away => {
                if media_list.iter().any(is_taken) {
                    *media_list = Media::of_replica(stream).unwrap_or_else(|| media_list.clone());
                }
                (Listener::Own, None)
            }
            Self::Refuses | Self::Fails(_) => {
                let why = match self {
                    Self::Fails(why) => ScanFault::Failed(format!(
                        "{} belongs to dynrelayd, which can't be asked: {why}",
                        at()
                    )),
                    _ => ScanFault::Reserved(at()),
                };
                let Some(of_replica) = Media::of_replica(stream) else {
                    return (Listener::Nobody, Some(why));
                };
                *media_list = of_replica;
                (Listener::Own, None)
            }
        }
    }
}

/// Listens to a stream with these media until each is known to be active, or for this time.
pub(crate) fn quick_scan(
    daemon: &mut dyn Ask,
    stream: &Stream,
    mut media_list: Vec<Media>,
    time: Duration,
) -> Result<Vec<ScanResult>, String> {
    let asked = is_of_host(&media_list).then(|| stream.name.clone());
    let answer = Daemon::ask(daemon, asked.into_iter().collect());
    match answer.choose(stream, &mut media_list) {
        (Listener::Own, _) => {
            let mut scan = Scan::alone(media_list, true).map_err(|error| error.to_string())?;
            scan.listen(time);
            Ok(scan.results())
        }
        (Listener::Daemon, _) => request(daemon, vec![stream.name.clone()], time, true)
            .map(|answer| results_of(&answer, stream, media_list.len()))
            .map_err(|error| error.to_string()),
        (Listener::Nobody, fault) => {
            let faults: Vec<ScanFault> = fault.into_iter().collect();
            let result = ScanResult { faults, ..ScanResult::default() };
            Ok(vec![result; media_list.len()])
        }
    }
}

/// Lets dynrelayd scan these streams.
pub(crate) fn request(
    daemon: &mut dyn Ask,
    streams: Vec<String>,
    time: Duration,
    quick: bool,
) -> Result<ScanAnswer, ClientError> {
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let answer: Box<RawValue> = daemon.ask(&Request::Scan { streams, millis, quick })?;
    serde_json::from_str(answer.get()).map_err(ClientError::Garbled)
}

/// The results for each of this stream's media.
pub(crate) fn results_of(
    answer: &ScanAnswer,
    stream: &Stream,
    media_list: usize,
) -> Vec<ScanResult> {
    let of_stream = answer.streams.iter().filter(|one| one.name == stream.name);
    let results = of_stream.flat_map(|one| &one.media).map(|media| media.result.clone());
    // The daemon may have reloaded meanwhile.
    let gone = ScanFault::Failed("dynrelayd no longer has it: scan again".to_owned());
    let missing = ScanResult { faults: vec![gone], ..ScanResult::default() };
    results.chain(std::iter::repeat(missing)).take(media_list).collect()
}

/// Whether a stream arrives at unicast ports of this host.
pub(crate) fn is_of_host(media_list: &[Media]) -> bool {
    media_list.iter().flat_map(|media| &media.sources).any(|source| !source.address.is_multicast())
}

fn is_taken(media: &Media) -> bool {
    media.sources.iter().any(|source| {
        let bound = UdpSocket::bind((source.address, source.port));
        !source.address.is_multicast()
            && bound.is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse)
    })
}

/// This user may not scan, or may not use the socket at all.
fn is_forbidden(error: &ClientError) -> bool {
    match error {
        ClientError::Refused(refused) => refused.code == ErrorCode::Forbidden,
        ClientError::Unreachable { source, .. } => source.kind() == io::ErrorKind::PermissionDenied,
        _ => false,
    }
}

/// No daemon listens at the socket, or there is no socket.
fn is_away(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}

/// Whether the daemon listens for these media: the two catalogues may differ.
fn is_of(scanned: &ScannedStream, media_list: &[Media]) -> bool {
    scanned
        .media
        .iter()
        .map(|media| &media.from)
        .eq(&media_list.iter().map(Media::from).collect::<Vec<_>>())
}

fn stale(scanned: &ScannedStream) -> ScanFault {
    let from = scanned.media.iter().flat_map(|media| &media.from).cloned().collect::<Vec<_>>();
    ScanFault::Failed(format!(
        "dynrelayd still receives it at {}, but its file has changed: run `dynrelay reload`",
        from.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::ErrorKind;

    use catalog::Catalog;
    use control::{Refused, ScannedMedia, Verdict};

    use super::*;
    use crate::fake::Fake;

    /// A stream `news` that arrives here, with this NAME.toml.
    fn catalog(address: &str, toml: &str) -> (tempfile::TempDir, Catalog) {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("streams")).unwrap();
        fs::write(folder.path().join("dynrelay.toml"), "").unwrap();
        let sdp = format!("v=0\nc=IN IP4 {address}\nm=video 5004 RTP/AVP 96\n");
        fs::write(folder.path().join("streams/news.sdp"), sdp).unwrap();
        fs::write(folder.path().join("streams/news.toml"), toml).unwrap();
        let catalog = Catalog::load(&folder.path().join("dynrelay.toml")).unwrap();
        (folder, catalog)
    }

    /// The listener, why nobody can listen, and where it arrives.
    fn chosen(daemon: &Daemon, address: &str, toml: &str) -> (Listener, Option<ScanFault>, String) {
        let (_folder, catalog) = catalog(address, toml);
        let stream = catalog.stream("news").unwrap();
        let mut media_list = Media::of(stream).unwrap();
        let (by, fault) = daemon.choose(stream, &mut media_list);
        (by, fault, media_list[0].sources[0].to_string())
    }

    fn scans(from: &str) -> Daemon {
        let media = ScannedMedia {
            media: "video".into(),
            from: vec![from.into()],
            result: ScanResult::default(),
        };
        let stream = ScannedStream { name: "news".into(), media: vec![media] };
        Daemon::Scans(ScanAnswer { streams: vec![stream] })
    }

    const HERE: &str = "127.0.0.1:5004";
    const REPLICA: &str = "[replica]\ngroup = \"239.255.1.2\"";

    #[test]
    fn the_listener_depends_on_the_daemon_and_the_source() {
        let of_host = |daemon: &Daemon| chosen(daemon, "127.0.0.1", "");
        assert_eq!(of_host(&scans(HERE)), (Listener::Daemon, None, HERE.into()));
        let (by, fault, _) = of_host(&scans("127.0.0.1:5006"));
        let said = fault.unwrap().to_string();
        assert!(by == Listener::Nobody && said.contains("dynrelay reload"), "{said}");
        // The daemon doesn't have this stream, so it needs no port for it.
        assert_eq!(of_host(&Daemon::Scans(ScanAnswer::default())).0, Listener::Own);
        assert_eq!(of_host(&Daemon::Away), (Listener::Own, None, HERE.into()));
        let reserved = Some(ScanFault::Reserved(HERE.into()));
        assert_eq!(of_host(&Daemon::Refuses), (Listener::Nobody, reserved, HERE.into()));
        let (by, fault, _) = of_host(&Daemon::Fails("it is asleep".into()));
        let said = fault.unwrap().to_string();
        assert!(by == Listener::Nobody && said.ends_with("can't be asked: it is asleep"), "{said}");
        let by_replica = chosen(&Daemon::Refuses, "127.0.0.1", REPLICA);
        assert_eq!(by_replica, (Listener::Own, None, "239.255.1.2:5004".into()));
        let of_group = chosen(&Daemon::Refuses, "239.1.2.3", "");
        assert_eq!(of_group, (Listener::Own, None, "239.1.2.3:5004".into()));
    }

    #[test]
    fn the_daemon_is_asked_only_if_needed() {
        let mut fake = Fake::default();
        assert_eq!(Daemon::ask(fake.context().daemon, vec![]), Daemon::Away);
        assert_eq!(fake.asked(), []);
        let news = || vec!["news".to_owned()];
        let mut fake = Fake::answering(r#"{"streams":[]}"#);
        let answer = Daemon::ask(fake.context().daemon, news());
        assert_eq!(answer, Daemon::Scans(ScanAnswer::default()));
        let probe = Request::Scan { streams: news(), millis: 0, quick: false };
        assert_eq!(fake.asked(), [probe]);
        let mut fake = Fake::refusing(Refused::new(ErrorCode::Forbidden, "no"));
        assert_eq!(Daemon::ask(fake.context().daemon, news()), Daemon::Refuses);
        let mut fake = Fake::refusing(Refused::new(ErrorCode::Limit, "too many scans"));
        let answer = Daemon::ask(fake.context().daemon, news());
        assert_eq!(answer, Daemon::Fails("too many scans".into()));
        assert!(is_away(&ErrorKind::NotFound.into()));
        assert!(!is_away(&ErrorKind::PermissionDenied.into()));
    }

    #[test]
    fn the_daemon_does_a_quick_scan_of_its_ports() {
        let (_folder, catalog) = catalog("127.0.0.1", "");
        let stream = catalog.stream("news").unwrap();
        let Daemon::Scans(answer) = scans(HERE) else { panic!() };
        let answer = serde_json::to_string(&answer).unwrap();
        let mut fake = Fake::answering(&answer).then(&answer);
        let media_list = Media::of(stream).unwrap();
        let time = Duration::from_secs(2);
        let results = quick_scan(fake.context().daemon, stream, media_list, time).unwrap();
        assert_eq!(results, [ScanResult::default()]);
        let [gone] = &results_of(&ScanAnswer::default(), stream, 1)[..] else { panic!() };
        assert_eq!(gone.verdict(), Verdict::Failed);
        let asked = Request::Scan { streams: vec!["news".into()], millis: 2000, quick: true };
        assert_eq!(fake.asked()[1], asked);
    }
}
