//! What the server offers: the SDP of its answer to DESCRIBE (RFC 2326, appendix C).

use std::sync::Arc;

use catalog::sdp::{Format, Media, MediaFormat, Session};
use rtsp_types::Url;

use crate::error::Error;

/// What is taken of a server's offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    /// What PLAY and TEARDOWN are for.
    pub(crate) all: Url,
    /// What SETUP is for: one for each wanted media, in that order.
    pub(crate) tracks: Vec<Track>,
}

/// One media of the offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Track {
    pub(crate) url: Url,
    /// The RTP clock in Hz, if that is known.
    pub(crate) clock: Option<u32>,
}

impl Offer {
    /// Reads an offer, and picks the medias that are wanted. They must come in the order in which
    /// they are wanted; others may stand between them.
    pub(crate) fn read(sdp: &[u8], base: &Url, wanted: &[Arc<MediaFormat>]) -> Result<Self, Error> {
        let offered =
            Session::parse(sdp).map_err(|error| Error::BadDescription { line: error.line })?;
        let all = control(base, offered.control.as_deref())?;
        let mut left = offered.media.iter();
        let tracks = wanted.iter().enumerate().map(|(index, wanted)| {
            let media = left
                .find(|media| fits(wanted, media))
                .ok_or_else(|| Error::Unfit { number: index + 1, media: wanted.to_string() })?;
            let clock = media.formats.first().and_then(|format| format.clock);
            Ok(Track { url: control(&all, media.control.as_deref())?, clock })
        });
        let tracks = tracks.collect::<Result<_, Error>>()?;
        Ok(Self { all, tracks })
    }
}

/// Whether an offered media brings nothing but what is wanted.
fn fits(wanted: &MediaFormat, offered: &Media) -> bool {
    let known = |one: &Format| wanted.formats.iter().any(|two| one.fits(two));
    wanted.kind == offered.kind && !offered.formats.is_empty() && offered.formats.iter().all(known)
}

/// The URL that `a=control` names. A relative one is what follows the base and a slash: not what
/// RFC 3986 makes of it, but what servers mean.
fn control(base: &Url, control: Option<&str>) -> Result<Url, Error> {
    let bad = || Error::BadAnswer {
        method: "DESCRIBE",
        what: "names a track by something that is \
        not a URL",
    };
    match control {
        None | Some("" | "*") => Ok(base.clone()),
        Some(text) if text.split_once("://").is_some_and(|(scheme, _)| is_rtsp(scheme)) => {
            Url::parse(text).map(without_login).map_err(|_| bad())
        }
        Some(text) => {
            let slash = if base.as_str().ends_with('/') { "" } else { "/" };
            let whole = format!("{base}{slash}{}", text.trim_start_matches('/'));
            Url::parse(&whole).map_err(|_| bad())
        }
    }
}

fn is_rtsp(scheme: &str) -> bool {
    ["rtsp", "rtspu"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
}

/// A URL without user and password: these are not for request lines.
pub(crate) fn without_login(mut url: Url) -> Url {
    // Both fail only for URLs without a host, which can't have a login.
    let _ = (url.set_username(""), url.set_password(None));
    url
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NEWS: &str = "v=0\r\ns=News\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n\
        a=control:streamid=0\r\nm=application 0 RTP/AVP 107\r\na=control:meta\r\n\
        m=audio 0 RTP/AVP 14\r\na=control:rtsp://u:p@cam:8554/a/streamid=1\r\n";

    fn medias(sdp: &str) -> Vec<Arc<MediaFormat>> {
        Session::parse(sdp.as_bytes()).unwrap().formats()
    }

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn the_wanted_medias_are_picked_in_order() {
        let video = "m=video 5004 RTP/AVP 96\r\na=rtpmap:96 h264/90000\r\n";
        let audio = "m=audio 5006 RTP/AVP 14\r\n";
        let wanted = medias(&format!("v=0\r\n{video}{audio}"));
        let offer = Offer::read(NEWS.as_bytes(), &url("rtsp://cam/news"), &wanted).unwrap();
        assert_eq!(offer.all.as_str(), "rtsp://cam/news");
        let tracks: Vec<(&str, Option<u32>)> =
            offer.tracks.iter().map(|track| (track.url.as_str(), track.clock)).collect();
        assert_eq!(
            tracks,
            [
                ("rtsp://cam/news/streamid=0", Some(90_000)),
                ("rtsp://cam:8554/a/streamid=1", Some(90_000))
            ]
        );
        let turned = medias(&format!("v=0\r\n{audio}{video}"));
        let unfit = Offer::read(NEWS.as_bytes(), &url("rtsp://cam/news"), &turned);
        let media = "video h264/90000 pt 96".to_owned();
        assert_eq!(unfit, Err(Error::Unfit { number: 2, media }));
    }

    #[test]
    fn a_media_of_another_codec_is_not_wanted() {
        for other in ["video 0 RTP/AVP 97\r\na=rtpmap:97 H264/90000", "video 0 RTP/AVP 26"] {
            let wanted = medias(&format!("v=0\r\nm={other}\r\n"));
            let unfit = Offer::read(NEWS.as_bytes(), &url("rtsp://cam/"), &wanted);
            assert!(matches!(unfit, Err(Error::Unfit { number: 1, .. })), "{unfit:?}");
        }
        let unread = Offer::read(b"<html>", &url("rtsp://cam/"), &[]);
        assert_eq!(unread, Err(Error::BadDescription { line: 1 }));
    }

    #[test]
    fn a_control_follows_its_base() {
        for (base, text, expected) in [
            ("rtsp://cam/news", "trackID=1", "rtsp://cam/news/trackID=1"),
            ("rtsp://cam/news/", "trackID=1", "rtsp://cam/news/trackID=1"),
            ("rtsp://cam/news?a=b", "trackID=1", "rtsp://cam/news?a=b/trackID=1"),
            ("rtsp://cam/news", "/trackID=1", "rtsp://cam/news/trackID=1"),
            ("rtsp://cam/news", "*", "rtsp://cam/news"),
            ("rtsp://cam/news", "RTSP://x/y", "rtsp://x/y"),
            ("rtsp://cam/news", "http://x/y", "rtsp://cam/news/http://x/y"),
        ] {
            let joined = control(&url(base), Some(text)).unwrap();
            assert_eq!(joined.as_str(), expected);
        }
        assert!(control(&url("rtsp://cam/"), Some("rtsp://[")).is_err());
    }

    proptest! {
        #[test]
        fn no_description_makes_it_panic(sdp in any::<Vec<u8>>(), text in any::<String>()) {
            let base = url("rtsp://cam/news");
            let _ = (Offer::read(&sdp, &base, &medias(NEWS)), control(&base, Some(&text)));
        }
    }
}
