//! Who listens to a stream: this program, or dynrelayd.
//!
//! At a port of this host nobody but one can listen, and that is dynrelayd while it runs: it has the
//! port, or a relay may need it any moment. So it is asked what comes there, which takes no packet
//! from anybody.

use std::io;
use std::net::UdpSocket;
use std::time::Duration;

use ::scan::{Deaf, Heard, Media, Settings, Told, ToldStream};
use catalog::Stream;
use control::{ClientError, ErrorCode, Request};
use serde_json::value::RawValue;

use crate::context::Ask;

/// Whether dynrelayd listens for whoever scans.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Daemon {
    /// It isn't there, or isn't needed.
    Away,
    /// It doesn't: only for root and its own user.
    Refuses,
    /// It gives no such answer, for this reason.
    Fails(String),
    /// It does, to these streams.
    Listens(Told),
}

/// Who listens to a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// This program, with sockets of its own.
    Own,
    /// dynrelayd.
    Daemon,
    /// Nobody.
    Nobody,
}

impl Daemon {
    /// Asks whether it listens to these streams.
    pub(crate) fn meet(daemon: &mut dyn Ask, streams: Vec<String>) -> Self {
        if streams.is_empty() {
            return Self::Away;
        }
        match ask(daemon, streams, Duration::ZERO, false) {
            Ok(told) => Self::Listens(told),
            Err(ClientError::Unreachable { source, .. }) if is_nobody(&source) => Self::Away,
            Err(error) if is_forbidden(&error) => Self::Refuses,
            Err(error) => Self::Fails(error.to_string()),
        }
    }

    /// Who is to listen to a stream with these medias. They may become those of its replica, or be
    /// given what can be said of them already.
    pub(crate) fn choose(&self, stream: &Stream, medias: &mut Vec<Media>) -> (By, Option<Deaf>) {
        let at = || {
            let sources = medias.iter().flat_map(|media| &media.sources);
            sources.map(ToString::to_string).collect::<Vec<_>>().join(", ")
        };
        match self {
            _ if !is_of_host(medias) => (By::Own, None),
            Self::Listens(told) => match told.streams.iter().find(|one| one.name == stream.name) {
                Some(told) if told.is_of(medias) => (By::Daemon, None),
                Some(told) => (By::Nobody, Some(stale(told))),
                None => (By::Own, None),
            },
            Self::Away => {
                if medias.iter().any(is_taken) {
                    *medias = Media::of_replica(stream).unwrap_or_else(|| medias.clone());
                }
                (By::Own, None)
            }
            Self::Refuses | Self::Fails(_) => {
                let why = match self {
                    Self::Fails(why) => Deaf::Failed(format!(
                        "{} is dynrelayd's to listen at, which can't be asked: {why}",
                        at()
                    )),
                    _ => Deaf::Reserved(at()),
                };
                let Some(of_replica) = Media::of_replica(stream) else {
                    return (By::Nobody, Some(why));
                };
                *medias = of_replica;
                (By::Own, None)
            }
        }
    }
}

/// Listens to a stream with these medias until each is known to be active, or for this time.
pub(crate) fn look(
    daemon: &mut dyn Ask,
    stream: &Stream,
    mut medias: Vec<Media>,
    time: Duration,
) -> Result<Vec<Heard>, String> {
    let asked = is_of_host(&medias).then(|| stream.name.clone());
    let met = Daemon::meet(daemon, asked.into_iter().collect());
    match met.choose(stream, &mut medias) {
        (By::Own, _) => {
            let settings = Settings { quick: true, ..Settings::default() };
            ::scan::scan(medias, time, settings).map_err(|error| error.to_string())
        }
        (By::Daemon, _) => ask(daemon, vec![stream.name.clone()], time, true)
            .map(|told| heard(&told, stream, medias.len()))
            .map_err(|error| error.to_string()),
        (By::Nobody, deaf) => {
            let deaf: Vec<Deaf> = deaf.into_iter().collect();
            Ok(medias.iter().map(|_| Heard { deaf: deaf.clone(), ..Heard::default() }).collect())
        }
    }
}

/// Has dynrelayd listen to these streams.
pub(crate) fn ask(
    daemon: &mut dyn Ask,
    streams: Vec<String>,
    time: Duration,
    quick: bool,
) -> Result<Told, ClientError> {
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let answer: Box<RawValue> = daemon.ask(&Request::Scan { streams, millis, quick })?;
    serde_json::from_str(answer.get()).map_err(ClientError::Garbled)
}

/// What was told of each of this stream's medias.
pub(crate) fn heard(told: &Told, stream: &Stream, medias: usize) -> Vec<Heard> {
    let of_stream = told.streams.iter().filter(|one| one.name == stream.name);
    let heard = of_stream.flat_map(|one| &one.media).map(|media| media.heard.clone());
    // A reload may have come between.
    let gone = Deaf::Failed("dynrelayd has it no longer: scan again".to_owned());
    let missing = Heard { deaf: vec![gone], ..Heard::default() };
    heard.chain(std::iter::repeat(missing)).take(medias).collect()
}

/// Whether a stream arrives at ports of this host.
pub(crate) fn is_of_host(medias: &[Media]) -> bool {
    medias.iter().flat_map(|media| &media.sources).any(|source| !source.address.is_multicast())
}

fn is_taken(media: &Media) -> bool {
    media.sources.iter().any(|source| {
        let bound = UdpSocket::bind((source.address, source.port));
        !source.address.is_multicast()
            && bound.is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse)
    })
}

/// This user may not ask that, or nothing at all.
fn is_forbidden(error: &ClientError) -> bool {
    match error {
        ClientError::Refused(refused) => refused.code == ErrorCode::Forbidden,
        ClientError::Unreachable { source, .. } => source.kind() == io::ErrorKind::PermissionDenied,
        _ => false,
    }
}

/// Nobody listens at the socket, or there is none.
fn is_nobody(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}

fn stale(told: &ToldStream) -> Deaf {
    let from = told.media.iter().flat_map(|media| &media.from).cloned().collect::<Vec<_>>();
    Deaf::Failed(format!(
        "dynrelayd still receives it at {}, and its file says something else: `dynrelay reload`",
        from.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::ErrorKind;

    use catalog::Catalog;
    use control::Refused;

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

    /// Who listens to it, what can be said of it already, and where is listened.
    fn chosen(daemon: &Daemon, address: &str, toml: &str) -> (By, Option<Deaf>, String) {
        let (_folder, catalog) = catalog(address, toml);
        let stream = catalog.stream("news").unwrap();
        let mut medias = Media::of(stream).unwrap();
        let (by, deaf) = daemon.choose(stream, &mut medias);
        (by, deaf, medias[0].sources[0].to_string())
    }

    fn listens(from: &str) -> Daemon {
        let media = ::scan::ToldMedia {
            media: "video".into(),
            from: vec![from.into()],
            heard: Heard::default(),
        };
        let stream = ToldStream { name: "news".into(), media: vec![media] };
        Daemon::Listens(Told { streams: vec![stream] })
    }

    const HERE: &str = "127.0.0.1:5004";
    const REPLICA: &str = "[replica]\ngroup = \"239.255.1.2\"";

    #[test]
    fn who_listens_depends_on_the_daemon_and_on_where_it_arrives() {
        let of_host = |daemon: &Daemon| chosen(daemon, "127.0.0.1", "");
        assert_eq!(of_host(&listens(HERE)), (By::Daemon, None, HERE.into()));
        let (by, deaf, _) = of_host(&listens("127.0.0.1:5006"));
        let said = deaf.unwrap().to_string();
        assert!(by == By::Nobody && said.contains("dynrelay reload"), "{said}");
        // The daemon doesn't have it, so that it needs no port of it.
        assert_eq!(of_host(&Daemon::Listens(Told::default())).0, By::Own);
        assert_eq!(of_host(&Daemon::Away), (By::Own, None, HERE.into()));
        let reserved = Some(Deaf::Reserved(HERE.into()));
        assert_eq!(of_host(&Daemon::Refuses), (By::Nobody, reserved, HERE.into()));
        let (by, deaf, _) = of_host(&Daemon::Fails("it is asleep".into()));
        let said = deaf.unwrap().to_string();
        assert!(by == By::Nobody && said.ends_with("can't be asked: it is asleep"), "{said}");
        let by_replica = chosen(&Daemon::Refuses, "127.0.0.1", REPLICA);
        assert_eq!(by_replica, (By::Own, None, "239.255.1.2:5004".into()));
        let of_group = chosen(&Daemon::Refuses, "239.1.2.3", "");
        assert_eq!(of_group, (By::Own, None, "239.1.2.3:5004".into()));
    }

    #[test]
    fn a_daemon_is_met_only_where_it_is_needed() {
        let mut fake = Fake::default();
        assert_eq!(Daemon::meet(fake.context().daemon, vec![]), Daemon::Away);
        assert_eq!(fake.asked(), []);
        let news = || vec!["news".to_owned()];
        let mut fake = Fake::answering(r#"{"streams":[]}"#);
        let met = Daemon::meet(fake.context().daemon, news());
        assert_eq!(met, Daemon::Listens(Told::default()));
        let probe = Request::Scan { streams: news(), millis: 0, quick: false };
        assert_eq!(fake.asked(), [probe]);
        let mut fake = Fake::refusing(Refused::new(ErrorCode::Forbidden, "no"));
        assert_eq!(Daemon::meet(fake.context().daemon, news()), Daemon::Refuses);
        let mut fake = Fake::refusing(Refused::new(ErrorCode::Limit, "too many scans"));
        let met = Daemon::meet(fake.context().daemon, news());
        assert_eq!(met, Daemon::Fails("too many scans".into()));
        assert!(is_nobody(&ErrorKind::NotFound.into()));
        assert!(!is_nobody(&ErrorKind::PermissionDenied.into()));
    }

    #[test]
    fn a_look_is_the_daemons_where_it_listens() {
        let (_folder, catalog) = catalog("127.0.0.1", "");
        let stream = catalog.stream("news").unwrap();
        let Daemon::Listens(told) = listens(HERE) else { panic!() };
        let answer = serde_json::to_string(&told).unwrap();
        let mut fake = Fake::answering(&answer).then(&answer);
        let medias = Media::of(stream).unwrap();
        let time = Duration::from_secs(2);
        let heard = look(fake.context().daemon, stream, medias, time).unwrap();
        assert_eq!(heard, [Heard::default()]);
        let [gone] = &super::heard(&Told::default(), stream, 1)[..] else { panic!() };
        assert_eq!(gone.verdict(), ::scan::Verdict::Deaf);
        let asked = Request::Scan { streams: vec!["news".into()], millis: 2000, quick: true };
        assert_eq!(fake.asked()[1], asked);
    }
}
