//! The media that a server offers: the SDP of its answer to DESCRIBE (RFC 2326, appendix C).

use std::sync::Arc;

use catalog::sdp::{Format, MediaFormat};

use crate::error::Error;
use crate::url::Url;

/// The longest quotation of a line in an error, in characters.
const QUOTED: usize = 60;

/// The parts of a server's offer that a pull needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    /// The URL for PLAY and TEARDOWN.
    pub(crate) all: Url,
    /// One for each wanted media, in that order.
    pub(crate) tracks: Vec<Track>,
}

/// An offered media that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Track {
    /// The URL for SETUP.
    pub(crate) url: Url,
    /// The RTP clock in Hz, if it is known.
    pub(crate) clock: Option<u32>,
}

/// An `m=` section of the offer.
struct Offered<'a> {
    /// Where it begins, and that line.
    line: usize,
    text: &'a str,
    kind: &'a str,
    formats: Vec<Format>,
    control: Option<&'a str>,
}

impl Offer {
    /// Reads an offer and picks the wanted media.
    ///
    /// Lines that a pull does not need may be missing or wrong: of the whole offer only `m=`,
    /// `a=rtpmap` and `a=control` are read.
    pub(crate) fn read(sdp: &[u8], base: &Url, wanted: &[Arc<MediaFormat>]) -> Result<Self, Error> {
        let sdp = String::from_utf8_lossy(sdp);
        let (control, mut offered) = sections(&sdp);
        if offered.is_empty() {
            let mut lines = sdp.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
            let odd = lines.clone().find(|(_, line)| line.as_bytes().get(1) != Some(&b'='));
            let (index, text) = odd.or_else(|| lines.next()).unwrap_or((0, ""));
            let what = "no media is described (no `m=` line)".to_owned();
            return Err(Error::BadOffer { line: index + 1, text: quoted(text), what });
        }
        let all = control.map_or_else(|| Some(base.clone()), |control| base.join(control));
        let all = all.unwrap_or_else(|| base.clone());
        let mut tracks = Vec::new();
        for (index, wanted) in wanted.iter().enumerate() {
            let fit = offered.iter().position(|media| clock(wanted, media).is_some());
            let Some(fit) = fit else { return Err(unfit(index + 1, wanted, &offered)) };
            let media = offered.remove(fit);
            let control = media.control.unwrap_or_default();
            let Some(url) = all.join(control) else {
                let what = format!("its track {} is no URL", quoted(control));
                return Err(Error::BadOffer { line: media.line, text: quoted(media.text), what });
            };
            tracks.push(Track { url, clock: clock(wanted, &media).flatten() });
        }
        Ok(Self { all, tracks })
    }
}

/// The session's control, and the media.
fn sections(sdp: &str) -> (Option<&str>, Vec<Offered<'_>>) {
    let (mut control, mut offered) = (None, Vec::<Offered<'_>>::new());
    for (index, text) in sdp.lines().enumerate() {
        let text = text.trim();
        let media = offered.last_mut();
        if let Some(value) = text.strip_prefix("m=") {
            offered.push(Offered::new(index + 1, text, value));
        } else if let Some(value) = text.strip_prefix("a=control:") {
            *media.map_or(&mut control, |media| &mut media.control) = Some(value.trim());
        } else if let (Some(value), Some(media)) = (text.strip_prefix("a=rtpmap:"), media) {
            media.map(value.trim());
        }
    }
    (control, offered)
}

impl<'a> Offered<'a> {
    /// Reads the value of an `m=` line. Formats that are no payload types don't count.
    fn new(line: usize, text: &'a str, value: &'a str) -> Self {
        let mut words = value.split_whitespace();
        let kind = words.next().unwrap_or_default();
        let rtp = |proto: &str| proto.to_ascii_uppercase().contains("RTP/");
        let formats = match words.nth(1) {
            Some(proto) if rtp(proto) => {
                let types = words.filter_map(|word| word.parse().ok()).filter(|pt| *pt < 128);
                types.map(Format::of).collect()
            }
            _ => Vec::new(),
        };
        Self { line, text, kind, formats, control: None }
    }

    /// Takes in an `a=rtpmap`: `96 H264/90000`.
    fn map(&mut self, value: &str) {
        let Some((pt, encoding)) = value.split_once(' ') else { return };
        let pt: Option<u8> = pt.parse().ok();
        if let Some(format) = self.formats.iter_mut().find(|format| Some(format.pt) == pt) {
            format.map(encoding.trim());
        }
    }
}

/// The clock of an offered media that fits the wanted one; `None` if none of its formats fits. What
/// the offer does not say of a format is taken to be as wanted.
fn clock(wanted: &MediaFormat, offered: &Offered<'_>) -> Option<Option<u32>> {
    let fits = |one: &Format| {
        let same = wanted.formats.iter().find(|wanted| wanted.pt == one.pt)?;
        let mut format = one.clone();
        if format.codec.is_none() {
            format = same.clone();
        }
        format.clock = format.clock.or(same.clock);
        same.fits(&format).then_some(format.clock)
    };
    let kinds = wanted.kind.eq_ignore_ascii_case(offered.kind);
    kinds.then(|| offered.formats.iter().find_map(fits)).flatten()
}

/// No offered media fits: says which comes nearest, and what it is instead.
fn unfit(number: usize, wanted: &MediaFormat, offered: &[Offered<'_>]) -> Error {
    let alike = |media: &&Offered<'_>| wanted.kind.eq_ignore_ascii_case(media.kind);
    let nearest = offered.iter().find(alike).map(|media| {
        let what = described(media.kind, &media.formats);
        format!("line {} ({}) is {}", media.line, quoted(media.text), quoted(&what))
    });
    let media = described(&wanted.kind, &wanted.formats);
    Error::Unfit { number, media, nearest }
}

fn described(kind: &str, formats: &[Format]) -> String {
    if formats.is_empty() {
        return format!("{kind} without an RTP payload type");
    }
    let formats: Vec<String> = formats.iter().map(Format::to_string).collect();
    format!("{kind} {}", formats.join(", "))
}

/// A text of the server for an error: in quotes, on one line, short, and without passwords.
fn quoted(text: &str) -> String {
    let safe = |letter: char| if letter.is_control() { ' ' } else { letter };
    let clean: String = text.chars().map(safe).collect();
    let shown: String = catalog::without_secrets(clean.trim()).chars().take(QUOTED).collect();
    format!("`{shown}`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use catalog::sdp::Session;
    use proptest::prelude::*;

    const VIDEO: &str = "m=video 5004 RTP/AVP 96\r\na=rtpmap:96 h264/90000\r\n";
    const AUDIO: &str = "m=audio 5006 RTP/AVP 14\r\n";
    const NEWS: &str = "v=0\r\ns=News\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n\
        a=control:streamid=0\r\nm=application 0 RTP/AVP 107\r\na=control:meta\r\n\
        m=audio 0 RTP/AVP 14\r\na=control:rtsp://u:p@cam:8554/a/streamid=1\r\n";

    fn media(sections: &[&str]) -> Vec<Arc<MediaFormat>> {
        Session::parse(format!("v=0\r\n{}", sections.concat()).as_bytes()).unwrap().formats()
    }

    fn read(sdp: &str, wanted: &[Arc<MediaFormat>]) -> Result<Offer, Error> {
        Offer::read(sdp.as_bytes(), &Url::parse("rtsp://cam/news").unwrap(), wanted)
    }

    fn urls(offer: &Offer) -> Vec<&str> {
        offer.tracks.iter().map(|track| track.url.as_str()).collect()
    }

    #[test]
    fn the_wanted_media_are_picked_in_any_order() {
        let offer = read(NEWS, &media(&[VIDEO, AUDIO])).unwrap();
        assert_eq!(offer.all.as_str(), "rtsp://cam/news");
        let (video, audio) = ("rtsp://cam/news/streamid=0", "rtsp://cam:8554/a/streamid=1");
        assert_eq!(urls(&offer), [video, audio]);
        assert!(offer.tracks.iter().all(|track| track.clock == Some(90_000)));
        assert_eq!(urls(&read(NEWS, &media(&[AUDIO, VIDEO])).unwrap()), [audio, video]);
    }

    #[test]
    fn faults_in_unneeded_lines_do_not_stop_a_pull() {
        let rest = "a=control:track1\r\na=rtpmap:96 H264/90000\r\n";
        for offer in [
            format!("m=video 0 RTP/AVP 96\n{rest}"),
            format!("o=- 1 1 IN\r\nm=video 0 RTP/AVP/TCP 96\r\nc=IN\r\na=rtcp:0\r\n{rest}"),
            format!("v=0\r\nc=\r\nm=video x RTP/AVP 95 smart/0 96\r\nc=IN IP4 cam\r\n{rest}"),
            format!("m=x 0 RTP/AVP smart/0/25000\r\nm=video 0 RTP/SAVPF 96\r\nno line\r\n{rest}"),
            format!("a=source-filter: x\r\nm=Video 0 RTP/AVP 97 96\r\na=rtpmap:97 x\r\n{rest}"),
            "m=video 0 RTP/AVP 96\r\na=control:track1\r\na=rtpmap:96 H264\r\n".to_owned(),
            "m=video 0 RTP/AVP 96\r\na=control:track1\r\n".to_owned(),
        ] {
            let read = read(&offer, &media(&[VIDEO])).unwrap();
            assert_eq!(urls(&read), ["rtsp://cam/news/track1"], "{offer}");
            assert_eq!(read.tracks[0].clock, Some(90_000));
        }
    }

    #[test]
    fn the_error_names_the_line_that_does_not_fit() {
        let why = |sdp: &str| read(sdp, &media(&[VIDEO])).unwrap_err().to_string();
        let begin = "it has no video h264/90000 pt 96, which the stream's SDP file has as media 1";
        assert_eq!(
            why("v=0\r\nm=audio 0 RTP/AVP 0\r\nm=video 0 RTP/AVP 26"),
            format!("{begin}: line 3 (`m=video 0 RTP/AVP 26`) is `video JPEG/90000 pt 26`")
        );
        assert_eq!(why("m=audio 0 RTP/AVP 0\r\n"), begin);
        assert_eq!(
            why("m=video 0 RTP/AVP 96\r\na=rtpmap:96 H265/90000"),
            format!("{begin}: line 1 (`m=video 0 RTP/AVP 96`) is `video H265/90000 pt 96`")
        );
        assert_eq!(
            why("v=0\r\n<html> rtsp://u:secret@cam/ \u{7}"),
            "line 2 of its offer (`<html> rtsp://cam/`) can't be used: no media is described (no \
             `m=` line)"
        );
        let long = why(&format!("m=video 0 RTP/AVP {}", "97 ".repeat(90)));
        assert!(long.len() < 260 && !long.contains('\n'), "{long}");
    }

    proptest! {
        #[test]
        fn no_offer_makes_it_panic(sdp in any::<Vec<u8>>(), line in "[mac]=[a-z]{0,8}:?\\PC{0,20}") {
            let base = Url::parse("rtsp://cam/news").unwrap();
            let wanted = media(&[VIDEO, AUDIO]);
            for sdp in [sdp, format!("{NEWS}{line}").into_bytes()] {
                if let Err(error) = Offer::read(&sdp, &base, &wanted) {
                    prop_assert!(!error.to_string().contains('\n'));
                }
            }
        }
    }
}
