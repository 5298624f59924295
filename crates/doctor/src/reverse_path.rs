//! The reverse-path filter (RFC 3704). It drops a packet if the route back to its sender leads over
//! another interface.

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;

use catalog::{Catalog, Source, Stream};

use crate::files::file_of;
use crate::finding::{Finding, Subject};
use crate::interfaces::{Route, route_to};

const ABOUT: Subject = Subject::Reception;

/// The filter's mode: /proc/sys/net/ipv4/conf/*/rp_filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Off,
    /// It drops packets if the route back leads over another interface.
    Strict,
    /// It drops packets if there is no route back.
    Loose,
}

/// The sender of a stream, as far as its file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Sender {
    /// The sender of the source filter.
    Only(IpAddr),
    /// The host that made the file (`o=`), usually the encoder.
    Likely(IpAddr),
}

/// Finds senders whose packets the filter drops. IPv6 has no such filter.
pub(crate) fn findings(catalog: &Catalog) -> Vec<Finding> {
    let mut asked: BTreeMap<(String, Sender), PathBuf> = BTreeMap::new();
    for stream in catalog.streams() {
        for (interface, sender) in arrivals(catalog, stream) {
            let file = || file_of(catalog, &stream.name);
            asked.entry((interface, sender)).or_insert_with(file);
        }
    }
    let mut findings = Vec::new();
    for ((interface, sender), file) in asked {
        let (Sender::Only(address) | Sender::Likely(address)) = sender;
        let finding = match mode(&interface) {
            Some(mode) => dropped(&interface, sender, mode, &route_to(address)),
            None => Some(ABOUT.unknown(
                format!("can't read whether the reverse-path filter is on for {interface}"),
                "check on the host itself: `sysctl net.ipv4.conf.all.rp_filter`",
            )),
        };
        findings.extend(finding.map(|finding| finding.at((file, None))));
    }
    findings
}

/// The interfaces that a stream's IPv4 groups arrive on, with the sender.
fn arrivals(catalog: &Catalog, stream: &Stream) -> Vec<(String, Sender)> {
    let sources = stream.sources().into_iter().flatten().flatten();
    let groups = sources.filter(|one| one.address.is_multicast() && one.address.is_ipv4());
    let owner = catalog.session(&stream.name).ok().and_then(|session| owner(session.original()));
    let senders = |source: &Source| -> Vec<Sender> {
        match &source.senders[..] {
            [] => owner.map(Sender::Likely).into_iter().collect(),
            senders => senders.iter().copied().map(Sender::Only).collect(),
        }
    };
    let interfaces = groups.filter_map(|source| Some((source, interface(source)?)));
    interfaces
        .flat_map(|(source, name)| senders(source).into_iter().map(move |one| (name.clone(), one)))
        .collect()
}

fn interface(source: &Source) -> Option<String> {
    let routed = || match route_to(source.address) {
        Route::Over(name) => Some(name),
        Route::Here | Route::None(_) => None,
    };
    source.interface.as_deref().map(str::to_owned).or_else(routed)
}

/// The address of the `o=` line, if it can be a sender's.
fn owner(sdp: &[u8]) -> Option<IpAddr> {
    let line = sdp.split(|&byte| byte == b'\n').find(|line| line.starts_with(b"o="))?;
    let address =
        String::from_utf8_lossy(line).split_whitespace().last()?.parse::<IpAddr>().ok()?;
    let host = !address.is_unspecified() && !address.is_loopback() && !address.is_multicast();
    (host && address.is_ipv4()).then_some(address)
}

/// The mode for an interface: the larger number of the interface's and the one for all.
fn mode(interface: &str) -> Option<Mode> {
    let value = |name: &str| {
        let text = fs::read_to_string(format!("/proc/sys/net/ipv4/conf/{name}/rp_filter")).ok()?;
        text.trim().parse::<u32>().ok()
    };
    Some(match value("all")?.max(value(interface)?) {
        0 => Mode::Off,
        1 => Mode::Strict,
        _ => Mode::Loose,
    })
}

fn dropped(interface: &str, sender: Sender, mode: Mode, way: &Route) -> Option<Finding> {
    let why = match (mode, way) {
        (Mode::Off, _) | (_, Route::Here) | (Mode::Loose, Route::Over(_)) => return None,
        (Mode::Strict, Route::Over(other)) if other == interface => return None,
        (Mode::Strict, Route::Over(other)) => format!("the way back is over {other}"),
        (_, Route::None(_)) => "there is no way back".to_owned(),
    };
    let (Sender::Only(address) | Sender::Likely(address)) = sender;
    let what =
        format!("the reverse-path filter drops what {address} sends to {interface}, for {why}");
    let route = format!("`ip route add {address} dev {interface}`");
    let advice = match mode {
        Mode::Strict => format!("`sysctl net.ipv4.conf.{interface}.rp_filter=2`, or {route}"),
        _ => format!("{route}, or switch it off: `sysctl` rp_filter of all and {interface} to 0"),
    };
    Some(match sender {
        Sender::Only(_) => ABOUT.error(what, advice),
        Sender::Likely(_) => {
            let what = format!("{what}; that is the address in the file's o= line, if it sends");
            ABOUT.warning(what, advice)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Severity;

    #[test]
    fn it_finds_what_the_filter_drops() {
        let sender = Sender::Only("10.77.0.2".parse().unwrap());
        let over = |name: &str| Route::Over(name.to_owned());
        let nowhere = Route::None(std::io::ErrorKind::NetworkUnreachable);
        let found = |mode, way: &Route| dropped("studio", sender, mode, way).is_some();
        assert!(found(Mode::Strict, &over("eth0")) && found(Mode::Strict, &nowhere));
        assert!(!found(Mode::Strict, &over("studio")) && !found(Mode::Strict, &Route::Here));
        assert!(!found(Mode::Loose, &over("eth0")) && found(Mode::Loose, &nowhere));
        assert!(!found(Mode::Off, &over("eth0")) && !found(Mode::Off, &nowhere));
        let likely = Sender::Likely("10.77.0.2".parse().unwrap());
        let guess = dropped("studio", likely, Mode::Strict, &over("eth0")).unwrap();
        assert_eq!(guess.severity, Severity::Warning);
        assert!(guess.advice.contains("net.ipv4.conf.studio.rp_filter=2"), "{guess:?}");
    }

    #[test]
    fn it_reads_the_address_of_the_origin_line() {
        let owner = |text: &str| owner(text.as_bytes()).map(|address| address.to_string());
        assert_eq!(owner("v=0\r\no=- 1 1 IN IP4 10.9.0.2\r\n").as_deref(), Some("10.9.0.2"));
        for none in ["v=0\n", "o=- 1 1 IN IP4 host", "o=- 1 1 IN IP4 0.0.0.0", "o=x IN IP6 ::1"] {
            assert_eq!(owner(none), None, "{none}");
        }
    }
}
