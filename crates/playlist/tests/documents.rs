//! Every document contains exactly its URL and title, whatever these are.

use playlist::{Entry, Format};
use proptest::prelude::*;
use roxmltree::{Document, Node};

/// The text or an attribute of the only element with this name, as an XML parser reads it.
fn said<'a>(xml: &'a Document<'_>, element: &str, attribute: Option<&str>) -> Option<&'a str> {
    let node = xml.descendants().find(|node| node.tag_name().name() == element)?;
    match attribute {
        Some(name) => node.attribute(name),
        None => node.text(),
    }
}

fn elements(xml: &Document<'_>) -> usize {
    xml.descendants().filter(Node::is_element).count()
}

proptest! {
    #[test]
    fn xml_is_well_formed_and_says_the_url(
        url in "rtsp://[-a-zA-Z0-9._~:/?#@!$&'()*+,;=%\\[\\]]{1,80}",
        title in any::<String>(),
    ) {
        let entry = Entry::new(&url, &title).unwrap();
        for (format, element, attribute, count) in [
            (Format::Smil, "video", Some("src"), 3),
            (Format::QuickTime, "embed", Some("src"), 1),
            (Format::Xspf, "location", None, 6),
            (Format::Asx, "ref", Some("href"), 5),
        ] {
            let document = entry.document(format);
            let xml = Document::parse(&document).unwrap();
            prop_assert_eq!(said(&xml, element, attribute), Some(url.as_str()));
            prop_assert_eq!(elements(&xml), count);
        }
    }

    #[test]
    fn smil_says_the_audios_url_too(
        audio in "(http|icy)://[-a-zA-Z0-9._~:/?#@!$&'()*+,;=%\\[\\]]{1,80}",
        quicktime: bool,
    ) {
        let entry = Entry::new("rtsp://h/", "").unwrap().with_audio(&audio, quicktime).unwrap();
        let document = entry.document(Format::Smil);
        let xml = Document::parse(&document).unwrap();
        let said = said(&xml, "audio", Some("src")).unwrap();
        prop_assert_eq!(said.split_once("://").unwrap().1, audio.split_once("://").unwrap().1);
        prop_assert_eq!(elements(&xml), 5);
    }

    #[test]
    fn lists_have_the_lines_they_should(title in any::<String>()) {
        let entry = Entry::new("rtsp://host/news.sdp", &title).unwrap();
        let m3u = entry.document(Format::M3u);
        let breaks = ['\n', '\r', '\u{2028}', '\u{2029}', '\u{85}'];
        let lines: Vec<&str> = m3u.split(breaks).collect();
        prop_assert_eq!(lines.len(), 4);
        prop_assert_eq!(lines[2], "rtsp://host/news.sdp");
        prop_assert_eq!(entry.document(Format::Ram).lines().count(), 1);
        let pls = entry.document(Format::Pls);
        let lines: Vec<&str> = pls.split(breaks).collect();
        prop_assert_eq!(lines.len(), 7);
        prop_assert_eq!(lines[2], "File1=rtsp://host/news.sdp");
        prop_assert!(lines[3].starts_with("Title1="));
    }

    #[test]
    fn any_url_is_taken_or_refused(url in any::<String>()) {
        if let Ok(entry) = Entry::new(&url, "") {
            for format in Format::ALL {
                prop_assert!(entry.document(format).is_ascii());
            }
        }
    }
}
