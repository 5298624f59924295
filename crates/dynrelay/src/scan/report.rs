//! The results of a scan, for people.

use catalog::{Problem, RtspSource, Stream};

use ::scan::Media;
use control::{ScanResult, Verdict};

use crate::color::Color;
use crate::context::Context;
use crate::failure::Failure;
use crate::table::{Cell, Column, Table};
use crate::text::wrapped;
use wording::{count, grouped, rate, silence};

/// How many columns the table has.
const COLUMNS: usize = 9;
/// A media whose last packet is older than this at the end of the scan may have stopped.
const STALE: u64 = 1000;

/// A stream, and the result for each of its media.
#[derive(Debug)]
pub(crate) struct Scanned<'a> {
    pub(crate) stream: &'a Stream,
    pub(crate) media_list: Result<Vec<(Media, ScanResult)>, NotScanned<'a>>,
    /// Why it can't be pulled, if that failed.
    pub(crate) fault: Option<String>,
}

/// Why a stream was not scanned.
#[derive(Clone, Copy, Debug)]
pub(crate) enum NotScanned<'a> {
    /// Its SDP file is faulty.
    Faulty(&'a Problem),
    /// It arrives only while it is pulled.
    Pulled(&'a RtspSource),
}

/// Whether a media is active; `None` if the scan can't tell.
pub(crate) fn active(result: &ScanResult) -> Option<bool> {
    match result.verdict() {
        Verdict::Active => Some(true),
        Verdict::NotActive | Verdict::Failed => Some(false),
        Verdict::Busy | Verdict::Reserved => None,
    }
}

impl Scanned<'_> {
    /// Whether every media is active; `None` if the scan can't tell. One inactive media makes it false.
    pub(crate) fn active(&self) -> Option<bool> {
        match &self.media_list {
            Ok(media_list) => {
                let known: Vec<_> = media_list.iter().map(|(_, result)| active(result)).collect();
                let no = known.contains(&Some(false));
                if no {
                    Some(false)
                } else {
                    known.into_iter().collect::<Option<Vec<_>>>().map(|_| true)
                }
            }
            Err(NotScanned::Faulty(_)) => Some(false),
            Err(NotScanned::Pulled(_)) => None,
        }
    }
}

/// Prints a row for each media, and notes below.
pub(crate) fn print(context: &mut Context<'_>, scanned: &[Scanned<'_>]) -> Result<(), Failure> {
    if scanned.is_empty() {
        context.say("There is no stream in the catalogue.")?;
        return Ok(());
    }
    context.print(&table(scanned))?;
    let notes: Vec<String> = scanned.iter().flat_map(notes).collect();
    if !notes.is_empty() {
        context.say("")?;
    }
    for note in notes {
        for line in wrapped(&note, context.width) {
            context.say(&line)?;
        }
    }
    Ok(())
}

fn table(scanned: &[Scanned<'_>]) -> Table {
    let mut table = Table::new([
        Column::name("STREAM"),
        Column::text("MEDIA"),
        Column::name("STATUS"),
        Column::number("RATE"),
        Column::number("PACKETS").spare(2),
        Column::number("LOST"),
        Column::number("FIRST").spare(3),
        Column::name("SSRC").spare(1),
        Column::text("SENDER"),
    ]);
    for Scanned { stream, media_list, .. } in scanned {
        match media_list {
            Ok(media_list) => media_list.iter().for_each(|(media, result)| {
                table.row(row(&stream.name, media, result));
            }),
            Err(not_scanned) => {
                let (word, color) = match not_scanned {
                    NotScanned::Faulty(_) => ("FAULTY FILE", Color::Red),
                    NotScanned::Pulled(_) => ("PULLED", Color::Yellow),
                };
                let mut row =
                    vec![Cell::from(&stream.name), "-".into(), Cell::from(word).colored(color)];
                row.resize_with(COLUMNS, || Cell::from(""));
                table.row(row);
            }
        }
    }
    table
}

fn row(stream: &str, media: &Media, result: &ScanResult) -> Vec<Cell> {
    let (word, color) = match result.verdict() {
        Verdict::Active => ("ACTIVE", Color::Green),
        Verdict::NotActive => ("NOT ACTIVE", Color::Red),
        Verdict::Busy => ("PORT IN USE", Color::Yellow),
        Verdict::Reserved => ("NOT ALLOWED", Color::Yellow),
        Verdict::Failed => ("CAN'T LISTEN", Color::Red),
    };
    let mut row = vec![stream.into(), Cell::from(&media.label), Cell::from(word).colored(color)];
    let Some(sender) = result.senders.first() else {
        row.resize_with(COLUMNS, || Cell::from(""));
        return row;
    };
    let per_second = result.packet_rate().map(|rate| format!("{}/s", grouped(rate)));
    let first = result.first().map(|first| silence(millis(first)));
    row.extend([
        Cell::from(result.bit_rate().map_or_else(|| "?".to_owned(), |bits| rate(bits / 8))),
        per_second.unwrap_or_else(|| "?".to_owned()).into(),
        percent(result.loss()).into(),
        first.unwrap_or_default().into(),
        format!("{:08x}", sender.ssrc).into(),
        sender.address.ip().to_string().into(),
    ]);
    row
}

/// Hundredths of a percent: `0%`, `0.05%`, `12%`.
fn percent(hundredths: u64) -> String {
    match (hundredths / 100, hundredths % 100) {
        (0, 0) => "0%".to_owned(),
        (whole @ 0..10, part) => format!("{whole}.{part:02}%"),
        (whole, _) => format!("{whole}%"),
    }
}

/// The facts that the table has no room for.
fn notes(scanned: &Scanned<'_>) -> Vec<String> {
    let name = &scanned.stream.name;
    match &scanned.media_list {
        Ok(media_list) => {
            let fault = scanned.fault.iter();
            let fault = fault.map(|why| format!("{name}: can't pull it: {why}."));
            let of_medias = media_list.iter().flat_map(|(media, result)| {
                let label = format!("{name} {}", media.label);
                note(media, result).into_iter().map(move |note| format!("{label}: {note}"))
            });
            fault.chain(of_medias).collect()
        }
        Err(NotScanned::Faulty(problem)) => vec![format!("{name}: {problem}")],
        Err(NotScanned::Pulled(source)) => vec![format!(
            "{name}: dynrelayd pulls it from {source} while a viewer needs it. Run `dynrelay scan \
             {name}` to pull and scan it, or `dynrelay streams` to see its state."
        )],
    }
}

fn note(media: &Media, result: &ScanResult) -> Vec<String> {
    let mut notes: Vec<String> = result.faults.iter().map(|fault| format!("{fault}.")).collect();
    let at: Vec<String> = media.sources.iter().map(ToString::to_string).collect();
    let (at, types) = (at.join(", "), types(result.foreign.iter().copied()));
    if result.verdict() == Verdict::NotActive {
        let own = self::types(media.formats.iter().map(|format| format.pt));
        notes.push(match (result.foreign.is_empty(), result.strangers) {
            (true, 0) => format!("nothing came to {at}."),
            (true, strangers) => {
                format!("{} came to {at}, but no RTP.", count(strangers, "packet"))
            }
            (false, _) => {
                format!("RTP came to {at}, but with payload type {types}, and its SDP says {own}.")
            }
        });
    } else if !result.foreign.is_empty() {
        notes.push(format!("RTP with payload type {types} came there, too; no SDP lists it."));
    }
    if result.senders.len() > 1 {
        let senders: Vec<String> = result
            .senders
            .iter()
            .map(|sender| format!("{} (SSRC {:08x})", sender.address, sender.ssrc))
            .collect();
        let what = "several senders, or one that restarted";
        notes.push(format!("{what}: {}.", senders.join(", ")));
    }
    if let Some(age) = result.age().map(millis).filter(|age| *age >= STALE) {
        notes.push(format!("its last packet came {} before the end.", silence(age)));
    }
    if result.drops > 0 {
        let dropped = count(result.drops, "packet");
        notes.push(format!("{dropped} came faster than this scan could read. They count as lost."));
    }
    notes
}

fn types(types: impl Iterator<Item = u8>) -> String {
    let types: Vec<String> = types.map(|one| one.to_string()).collect();
    types.join(", ")
}

fn millis(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use catalog::sdp::Session;
    use control::{ScanFault, Sender};
    use forward::Source;

    use super::*;

    fn media(kind: &str, pt: u8, port: u16) -> Media {
        let sdp = format!("v=0\nm={kind} {port} RTP/AVP {pt}\na=rtpmap:96 H264/90000\n");
        let session = Session::parse(sdp.as_bytes()).unwrap();
        let address = "239.1.2.3".parse().unwrap();
        let source = Source {
            address,
            port,
            senders: Vec::new(),
            peer: None,
            interface: Some("eth0".into()),
            named: Default::default(),
        };
        let media = &session.media[0];
        Media {
            stream: "news".into(),
            label: media.format().label(),
            sources: vec![source],
            formats: media.formats.clone(),
        }
    }

    fn sender(ssrc: u32, packets: u64, last: u64) -> Sender {
        Sender {
            ssrc,
            address: "10.9.0.2:41000".parse().unwrap(),
            payload_types: vec![96],
            packets,
            bytes: packets * 1200,
            lost: 1,
            first: Duration::from_millis(40),
            last: Duration::from_millis(last),
        }
    }

    fn active_result() -> ScanResult {
        let listened = Duration::from_millis(5040);
        ScanResult { listened, senders: vec![sender(0xbeef, 500, 5000)], ..ScanResult::default() }
    }

    #[test]
    fn a_row_fits_a_terminal() {
        let mut table = super::table(&[]);
        table.row(row("evening-news", &media("video", 96, 5004), &active_result()));
        table.row(row("evening-news", &media("audio", 14, 5006), &ScanResult::default()));
        assert!(table.lines(100, false)[0].contains("PACKETS"));
        assert_eq!(
            table.lines(80, false),
            [
                "STREAM        MEDIA       STATUS            RATE   LOST  SSRC      SENDER",
                "evening-news  video H264  ACTIVE      960 kbit/s  0.20%  0000beef  10.9.0.2",
                "evening-news  audio MPA   NOT ACTIVE",
            ]
        );
    }

    #[test]
    fn a_note_says_why_a_media_is_not_active() {
        let video = media("video", 96, 5004);
        let said = |result: ScanResult| note(&video, &result).join(" ");
        assert_eq!(said(ScanResult::default()), "nothing came to 239.1.2.3:5004 on eth0.");
        let strangers = ScanResult { strangers: 3, ..ScanResult::default() };
        assert_eq!(said(strangers), "3 packets came to 239.1.2.3:5004 on eth0, but no RTP.");
        let foreign = ScanResult { foreign: vec![33, 97], ..ScanResult::default() };
        let wrong = "but with payload type 33, 97, and its SDP says 96.";
        assert_eq!(said(foreign), format!("RTP came to 239.1.2.3:5004 on eth0, {wrong}"));
        let fault = |fault| said(ScanResult { faults: vec![fault], ..ScanResult::default() });
        let busy = fault(ScanFault::Busy(video.sources[0].to_string()));
        assert!(busy.contains("is in use by a program on this host"), "{busy}");
        let reserved = fault(ScanFault::Reserved(video.sources[0].to_string()));
        assert!(reserved.ends_with("run the scan as root."), "{reserved}");
    }

    #[test]
    fn notes_say_what_is_odd_about_an_active_media() {
        let video = media("video", 96, 5004);
        assert!(note(&video, &active_result()).is_empty());
        let odd = ScanResult {
            senders: vec![sender(1, 9, 10), sender(2, 4, 20)],
            foreign: vec![97],
            drops: 7,
            ..active_result()
        };
        let said = note(&video, &odd);
        assert!(said[0].contains("payload type 97"), "{said:?}");
        assert!(said[1].contains("10.9.0.2:41000 (SSRC 00000002)"), "{said:?}");
        assert_eq!(said[2], "its last packet came 5s before the end.");
        assert!(said[3].starts_with("7 packets came faster"), "{said:?}");
    }

    #[test]
    fn losses_are_never_rounded_to_nothing() {
        assert_eq!([0, 5, 120, 1234, 10_000].map(percent), ["0%", "0.05%", "1.20%", "12%", "100%"]);
    }
}
