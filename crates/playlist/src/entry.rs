//! A place to watch, and the documents that lead a player there.

use std::borrow::Cow;

use crate::format::Format;

/// A URL to open, with a title for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    url: String,
    title: String,
    audio: Option<String>,
}

/// A URL that cannot be in a document safely: it is not absolute, or contains a character that RFC
/// 3986 does not allow (a space, a quote, a line end, anything beyond ASCII).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an absolute URL (RFC 3986)")]
pub struct BadUrl(String);

impl Entry {
    /// An entry for `url`, such as `rtsp://dss2.example.net/news.sdp`. Control characters and line
    /// ends in the title become spaces.
    pub fn new(url: &str, title: &str) -> Result<Self, BadUrl> {
        if !is_absolute(url) {
            return Err(BadUrl(url.to_owned()));
        }
        let title: String =
            title.chars().map(|char| if breaks(char) { ' ' } else { char }).collect();
        Ok(Self { url: url.to_owned(), title: title.trim().to_owned(), audio: None })
    }

    /// Adds an Icecast stream that plays with it, such as `http://dss2.example.net:8000/news.mp3`.
    /// For QuickTime, `http://` becomes `icy://`; `https://` stays, because `icy://` has no TLS.
    /// Only SMIL documents contain it.
    pub fn with_audio(self, url: &str, quicktime: bool) -> Result<Self, BadUrl> {
        if !is_absolute(url) {
            return Err(BadUrl(url.to_owned()));
        }
        let icy = url.strip_prefix("http://").filter(|_| quicktime);
        let audio = icy.map_or_else(|| url.to_owned(), |rest| format!("icy://{rest}"));
        Ok(Self { audio: Some(audio), ..self })
    }

    /// The URL as it was given.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The document in this format, in ASCII except for the title, which is UTF-8.
    pub fn document(&self, format: Format) -> String {
        let Self { url, title, audio } = self;
        let (xml_url, xml_title) = (escape(url), escape(title));
        match format {
            // MPlayer, Totem and xine each fail on some of these: an XML declaration, a comment,
            // upper case, <ref>, <par>, <switch>, a title.
            Format::Smil => {
                let video = format!("<video src=\"{xml_url}\"/>\n");
                let body = match audio.as_deref().map(escape) {
                    None => video,
                    // Playing both at the same time needs <par>.
                    Some(audio) => format!("<par>\n{video}<audio src=\"{audio}\"/>\n</par>\n"),
                };
                format!("<smil>\n<body>\n{body}</body>\n</smil>\n")
            }
            Format::QuickTime => format!(
                "<?xml version=\"1.0\"?>\n\
                 <?quicktime type=\"application/x-quicktime-media-link\"?>\n\
                 <embed autoplay=\"true\" src=\"{xml_url}\"/>\n"
            ),
            Format::Ram => format!("{url}\n"),
            Format::M3u => format!("#EXTM3U\n#EXTINF:-1,{title}\n{url}\n"),
            Format::Xspf => format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
                 <playlist version=\"1\" xmlns=\"http://xspf.org/ns/0/\">\n\
                 <title>{xml_title}</title>\n\
                 <trackList>\n\
                 <track><location>{xml_url}</location><title>{xml_title}</title></track>\n\
                 </trackList>\n\
                 </playlist>\n"
            ),
            Format::Pls => format!(
                "[playlist]\nNumberOfEntries=1\nFile1={url}\nTitle1={title}\nLength1=-1\n\
                 Version=2\n"
            ),
            Format::Asx => format!(
                "<asx version=\"3.0\">\n<title>{xml_title}</title>\n<entry>\n\
                 <title>{xml_title}</title>\n<ref href=\"{xml_url}\"/>\n</entry>\n</asx>\n"
            ),
        }
    }
}

/// Whether a character would break a line, or is not allowed in XML.
fn breaks(char: char) -> bool {
    char.is_control() || matches!(char, '\u{2028}' | '\u{2029}' | '\u{fffe}' | '\u{ffff}')
}

/// Whether this is a scheme, `://` and more, in the characters of RFC 3986 section 2.
fn is_absolute(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else { return false };
    let in_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    let in_rest =
        |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte);
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(in_scheme)
        && !rest.is_empty()
        && rest.bytes().all(in_rest)
}

/// `text` with the five special characters of XML and HTML as references. `'` becomes `&#39;`,
/// because HTML 4 has no `&apos;`.
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>', '"', '\'']) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for char in text.chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_characters_are_escaped() {
        assert_eq!(escape("plain – text"), "plain – text");
        assert_eq!(escape(r#"<a b="c">'&amp;"#), "&lt;a b=&quot;c&quot;&gt;&#39;&amp;amp;");
    }

    #[test]
    fn smil_is_what_the_most_players_take() {
        let entry = Entry::new("rtsp://dss2.example.net/news.sdp", "The news").unwrap();
        assert_eq!(
            entry.document(Format::Smil),
            "<smil>\n<body>\n<video src=\"rtsp://dss2.example.net/news.sdp\"/>\n</body>\n</smil>\n"
        );
    }

    #[test]
    fn audio_is_played_along() {
        let video = Entry::new("rtsp://dss2.example.net/news.sdp", "").unwrap();
        let audio = "http://dss2.example.net:8000/news.mp3";
        let both = video.clone().with_audio(audio, false).unwrap();
        assert_eq!(
            both.document(Format::Smil),
            "<smil>\n<body>\n<par>\n<video src=\"rtsp://dss2.example.net/news.sdp\"/>\n\
             <audio src=\"http://dss2.example.net:8000/news.mp3\"/>\n</par>\n</body>\n</smil>\n"
        );
        assert_eq!(both.document(Format::M3u), video.document(Format::M3u));
        let quicktime = video.clone().with_audio(audio, true).unwrap().document(Format::Smil);
        assert!(quicktime.contains("<audio src=\"icy://dss2.example.net:8000/news.mp3\"/>"));
        let escaped = |quicktime| {
            let both = video.clone().with_audio("https://radio/a?b=1&c='d'", quicktime).unwrap();
            both.document(Format::Smil)
        };
        assert!(escaped(false).contains("<audio src=\"https://radio/a?b=1&amp;c=&#39;d&#39;\"/>"));
        assert_eq!(escaped(true), escaped(false), "icy:// has no form with TLS");
        assert!(video.with_audio("http://a b/", true).is_err());
    }

    #[test]
    fn lists_name_the_title_on_one_line() {
        let entry =
            Entry::new("rtsp://dss2.example.net/news.sdp", "\u{feff}The\r\nnews\0 ").unwrap();
        assert_eq!(
            entry.document(Format::M3u),
            "#EXTM3U\n#EXTINF:-1,\u{feff}The  news\nrtsp://dss2.example.net/news.sdp\n"
        );
        assert_eq!(
            entry.document(Format::Pls),
            "[playlist]\nNumberOfEntries=1\nFile1=rtsp://dss2.example.net/news.sdp\n\
             Title1=\u{feff}The  news\nLength1=-1\nVersion=2\n"
        );
        assert_eq!(entry.document(Format::Ram), "rtsp://dss2.example.net/news.sdp\n");
    }

    #[test]
    fn a_url_that_could_break_out_is_refused() {
        for url in [
            "",
            "news.sdp",
            "//host/news.sdp",
            "javascript:alert(1)",
            "rtsp://",
            "://host",
            "1rtsp://host/",
            "rtsp://host/a b",
            "rtsp://host/\r\nSet-Cookie: a",
            "rtsp://host/\"><script>",
            "rtsp://host/café",
        ] {
            assert_eq!(Entry::new(url, ""), Err(BadUrl(url.to_owned())));
        }
        for url in ["rtsp://[2001:db8::1]:8554/a.sdp?x=1&y=%20", "rtspu://u:p@h/", "http://h"] {
            assert!(Entry::new(url, "").is_ok(), "{url}");
        }
    }
}
