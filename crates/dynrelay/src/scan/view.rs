//! The results of a scan, for programs.

use std::net::SocketAddr;

use serde::Serialize;

use ::scan::Media;
use control::{ScanResult, Sender, Verdict};

use super::report::{NotScanned, Scanned, active};

#[derive(Serialize)]
struct ScanView<'a> {
    /// False if a stream is known to be inactive.
    active: bool,
    streams: Vec<StreamView<'a>>,
    /// The faults of streams that could not be scanned.
    problems: Vec<String>,
}

#[derive(Serialize)]
struct StreamView<'a> {
    name: &'a str,
    title: Option<&'a str>,
    /// `None`: the scan can't tell.
    active: Option<bool>,
    /// The RTSP server that it is pulled from.
    source: Option<String>,
    /// Why it can't be pulled.
    fault: Option<&'a str>,
    media: Vec<MediaView<'a>>,
}

#[derive(Serialize)]
struct MediaView<'a> {
    media: &'a str,
    verdict: Verdict,
    active: Option<bool>,
    from: Vec<String>,
    payload_types: Vec<u8>,
    listened_ms: u64,
    first_ms: Option<u64>,
    age_ms: Option<u64>,
    packets: u64,
    bytes: u64,
    packets_per_second: Option<u64>,
    bits_per_second: Option<u64>,
    lost: u64,
    drops: u64,
    senders: Vec<SenderView<'a>>,
    foreign_payload_types: &'a [u8],
    strangers: u64,
    deaf: Vec<String>,
}

#[derive(Serialize)]
struct SenderView<'a> {
    ssrc: u32,
    address: SocketAddr,
    payload_types: &'a [u8],
    codecs: Vec<&'a str>,
    packets: u64,
    bytes: u64,
    lost: u64,
}

/// One object: what dynrelay(1) describes.
pub(super) fn json(scanned: &[Scanned<'_>], problems: Vec<String>) -> serde_json::Result<String> {
    let streams: Vec<_> = scanned.iter().map(stream).collect();
    let faulty = scanned.iter().filter_map(|one| match one.media_list {
        Err(NotScanned::Faulty(problem)) => Some(problem.to_string()),
        _ => None,
    });
    let problems = problems.into_iter().chain(faulty).collect::<Vec<_>>();
    let active = problems.is_empty() && streams.iter().all(|stream| stream.active != Some(false));
    serde_json::to_string(&ScanView { active, streams, problems })
}

fn stream<'a>(scanned: &'a Scanned<'_>) -> StreamView<'a> {
    let media_list = scanned.media_list.iter().flatten();
    StreamView {
        name: &scanned.stream.name,
        title: scanned.stream.title.as_deref(),
        active: scanned.active(),
        source: match scanned.media_list {
            Err(NotScanned::Pulled(source)) => Some(source.to_string()),
            _ => None,
        },
        fault: scanned.fault.as_deref(),
        media: media_list.map(|(media, result)| view(media, result)).collect(),
    }
}

fn view<'a>(media: &'a Media, result: &'a ScanResult) -> MediaView<'a> {
    let millis = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    MediaView {
        media: &media.label,
        verdict: result.verdict(),
        active: active(result),
        from: media.sources.iter().map(ToString::to_string).collect(),
        payload_types: media.formats.iter().map(|format| format.pt).collect(),
        listened_ms: millis(result.listened),
        first_ms: result.first().map(millis),
        age_ms: result.age().map(millis),
        packets: result.packets(),
        bytes: result.bytes(),
        packets_per_second: result.packet_rate(),
        bits_per_second: result.bit_rate(),
        lost: result.lost(),
        drops: result.drops,
        senders: result.senders.iter().map(|sender| of_sender(media, sender)).collect(),
        foreign_payload_types: &result.foreign,
        strangers: result.strangers,
        deaf: result.faults.iter().map(ToString::to_string).collect(),
    }
}

fn of_sender<'a>(media: &'a Media, sender: &'a Sender) -> SenderView<'a> {
    let of = |pt: &u8| media.formats.iter().find(|format| format.pt == *pt);
    let codecs = sender.payload_types.iter().filter_map(of);
    SenderView {
        ssrc: sender.ssrc,
        address: sender.address,
        payload_types: &sender.payload_types,
        codecs: codecs.filter_map(|format| format.codec.as_deref()).collect(),
        packets: sender.packets,
        bytes: sender.bytes,
        lost: sender.lost,
    }
}
