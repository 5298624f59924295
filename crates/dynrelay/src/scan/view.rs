//! What a scan heard, for programs.

use std::net::SocketAddr;

use serde::Serialize;

use ::scan::{Heard, Media, Sender, Verdict};

use super::report::{Scanned, Unheard, active};

#[derive(Serialize)]
struct ScanView<'a> {
    /// No stream is known not to be.
    active: bool,
    streams: Vec<StreamView<'a>>,
    /// What is wrong with the files of streams that could not be listened for.
    problems: Vec<String>,
}

#[derive(Serialize)]
struct StreamView<'a> {
    name: &'a str,
    title: Option<&'a str>,
    /// None: nobody can tell.
    active: Option<bool>,
    /// Where it is fetched from, if it doesn't arrive by itself.
    source: Option<String>,
    /// Why it can't be pulled.
    fault: Option<&'a str>,
    media: Vec<MediaView<'a>>,
}

#[derive(Serialize)]
struct MediaView<'a> {
    media: &'a str,
    verdict: &'static str,
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
    let faulty = scanned.iter().filter_map(|one| match one.medias {
        Err(Unheard::Faulty(problem)) => Some(problem.to_string()),
        _ => None,
    });
    let problems = problems.into_iter().chain(faulty).collect::<Vec<_>>();
    let active = problems.is_empty() && streams.iter().all(|stream| stream.active != Some(false));
    serde_json::to_string(&ScanView { active, streams, problems })
}

fn stream<'a>(scanned: &'a Scanned<'_>) -> StreamView<'a> {
    let medias = scanned.medias.iter().flatten();
    StreamView {
        name: &scanned.stream.name,
        title: scanned.stream.title.as_deref(),
        active: scanned.active(),
        source: match scanned.medias {
            Err(Unheard::Pulled(source)) => Some(source.to_string()),
            _ => None,
        },
        fault: scanned.fault.as_deref(),
        media: medias.map(|(media, heard)| view(media, heard)).collect(),
    }
}

fn view<'a>(media: &'a Media, heard: &'a Heard) -> MediaView<'a> {
    let millis = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    MediaView {
        media: &media.label,
        verdict: word(heard.verdict()),
        active: active(heard),
        from: media.sources.iter().map(ToString::to_string).collect(),
        payload_types: media.formats.iter().map(|format| format.pt).collect(),
        listened_ms: millis(heard.listened),
        first_ms: heard.first().map(millis),
        age_ms: heard.age().map(millis),
        packets: heard.packets(),
        bytes: heard.bytes(),
        packets_per_second: heard.packet_rate(),
        bits_per_second: heard.bit_rate(),
        lost: heard.lost(),
        drops: heard.drops,
        senders: heard.senders.iter().map(|sender| of_sender(media, sender)).collect(),
        foreign_payload_types: &heard.foreign,
        strangers: heard.strangers,
        deaf: heard.deaf.iter().map(ToString::to_string).collect(),
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

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Active => "active",
        Verdict::NotActive => "not-active",
        Verdict::Busy => "busy",
        Verdict::Reserved => "reserved",
        Verdict::Deaf => "deaf",
    }
}
