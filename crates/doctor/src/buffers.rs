//! Compares receive buffers with the rates of the streams.

use std::io;

use catalog::Catalog;
use model::FlowKind;
use socket2::{Domain, Socket, Type};

use crate::daemon::Process;
use crate::daemon::Running;
use crate::files::{Written, file_of};
use crate::finding::{Finding, Subject};
use wording::{count, rate, silence, size};

const ABOUT: Subject = Subject::Reception;
/// A buffer that fills sooner than this loses packets whenever the host is busy, in milliseconds.
const SHORTEST: u64 = 200;

/// A media and its bytes a second.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Load {
    stream: String,
    media: String,
    bytes: u64,
}

/// Buffers that are smaller than configured, or too small for a stream; and packets that were lost
/// for that reason.
pub(crate) fn findings(
    catalog: &Catalog,
    written: &Written,
    running: Option<&Running>,
) -> Vec<Finding> {
    let asked = catalog.config().daemon.receive_buffer;
    let process = running.and_then(|running| Process::of(running.pong.pid));
    let forced = process.and_then(|process| process.is_net_admin()).unwrap_or(false);
    let loads = loads(catalog, running);
    let mut findings = lost(catalog, running);
    match if forced { Ok(asked) } else { granted(asked) } {
        Ok(granted) => {
            let heaviest = loads.iter().max_by_key(|load| load.bytes);
            let finding = small(asked, granted, heaviest);
            let place = written.place("daemon", "receive_buffer");
            findings.extend(finding.map(|finding| finding.at(place)));
        }
        Err(error) => {
            let what = format!("can't find out how large a receive buffer may be: {error}");
            findings.push(ABOUT.unknown(what, "see `sysctl net.core.rmem_max`"));
        }
    }
    findings
}

/// The buffer that an unprivileged socket gets if it asks for this many bytes: at most
/// net.core.rmem_max. The kernel doubles it for its own bookkeeping.
fn granted(asked: usize) -> io::Result<usize> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
    socket.set_recv_buffer_size(asked)?;
    Ok((socket.recv_buffer_size()? / 2).min(asked))
}

/// Each media's rate: of the `b=` line, or of its relays, if that is higher.
fn loads(catalog: &Catalog, running: Option<&Running>) -> Vec<Load> {
    let mut loads: Vec<Load> = catalog
        .streams()
        .filter_map(|stream| Some((stream, catalog.session(&stream.name).ok()?)))
        .flat_map(|(stream, session)| session.media.into_iter().map(move |media| (stream, media)))
        .filter_map(|(stream, media)| {
            let (stream, bits) = (stream.name.clone(), media.bandwidth?);
            let media = media.format().label();
            Some(Load { stream, media, bytes: bits / 8 })
        })
        .collect();
    for detail in running.into_iter().flat_map(Running::open) {
        let flows = detail.flows.iter().filter(|flow| flow.kind == FlowKind::Rtp);
        loads.extend(flows.map(|flow| Load {
            stream: detail.relay.stream.clone(),
            media: flow.media.clone(),
            bytes: flow.rate,
        }));
    }
    loads
}

fn small(asked: usize, granted: usize, heaviest: Option<&Load>) -> Option<Finding> {
    let bytes = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let time = |load: &Load| (bytes(granted) * 1000).checked_div(load.bytes);
    let heaviest = heaviest.and_then(|load| Some((load, time(load)?)));
    let holds = heaviest.map(|(load, time)| {
        let Load { stream, media, bytes } = load;
        format!("{} of {stream}'s {media} ({})", silence(time), rate(*bytes))
    });
    if granted < asked {
        let holds = holds.map(|holds| format!("; that holds {holds}")).unwrap_or_default();
        let what = format!(
            "each receive buffer gets only {} of the {} in the configuration{holds}",
            size(bytes(granted)),
            size(bytes(asked))
        );
        let advice = format!(
            "`echo net.core.rmem_max={asked} >/etc/sysctl.d/dynrelay.conf`, `sysctl -p` that file, \
             and restart dynrelayd; or set a smaller receive_buffer in [daemon]"
        );
        return Some(ABOUT.warning(what, advice));
    }
    let (load, _) = heaviest.filter(|(_, time)| *time < SHORTEST)?;
    let what = format!("a receive buffer holds no more than {}", holds?);
    let advice = format!(
        "set receive_buffer = {} in [daemon], and net.core.rmem_max to as much",
        (load.bytes / 2).next_power_of_two()
    );
    Some(ABOUT.warning(what, advice))
}

/// Relays that lost packets on this host, as the kernel counts them.
fn lost(catalog: &Catalog, running: Option<&Running>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for detail in running.into_iter().flat_map(Running::open) {
        let stream = &detail.relay.stream;
        for flow in detail.flows.iter().filter(|flow| flow.drops > 0) {
            let (lost, media) = (count(flow.drops, "packet"), &flow.media);
            let what = format!(
                "{lost} of {stream}'s {media} to {} came faster than they were read",
                detail.relay.edge
            );
            let advice = "raise receive_buffer and net.core.rmem_max; if that does not help, this \
                          host is too busy: more `workers`, or `rest` in [daemon]";
            let finding = ABOUT.warning(what, advice);
            findings.push(finding.at((file_of(catalog, stream), None)));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_that_is_too_small_or_fills_too_soon() {
        let load = |bytes| Load { stream: "news".into(), media: "video H264".into(), bytes };
        assert_eq!(small(1 << 20, 1 << 20, None), None);
        assert_eq!(small(1 << 20, 1 << 20, Some(&load(1 << 20))), None);
        let cut = small(4 << 20, 212_992, Some(&load(212_992))).unwrap();
        assert!(cut.what.contains("1s of news's video H264 (1.7 Mbit/s)"), "{cut:?}");
        assert!(cut.advice.contains("rmem_max=4194304"), "{cut:?}");
        let full = small(1 << 20, 1 << 20, Some(&load(10 << 20))).unwrap();
        assert!(full.what.contains("100ms of news") && full.advice.contains("8388608"), "{full:?}");
        assert_eq!(small(1, 1, Some(&load(0))), None);
    }

    #[test]
    fn the_kernel_limits_buffers() {
        assert_eq!(granted(4096).unwrap(), 4096);
        assert!(granted(1 << 30).unwrap() <= 1 << 30);
    }
}
