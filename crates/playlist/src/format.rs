//! The kinds of document.

/// A kind of document that sends a player to a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// SMIL, in the form that most players follow.
    Smil,
    /// A QuickTime media link.
    QuickTime,
    /// RealPlayer's list of URLs.
    Ram,
    /// Extended M3U.
    M3u,
    /// XSPF version 1.
    Xspf,
    /// A playlist of Winamp.
    Pls,
    /// A metafile of Windows Media Player.
    Asx,
}

impl Format {
    /// All formats, the best known first.
    pub const ALL: [Self; 7] =
        [Self::Smil, Self::QuickTime, Self::Ram, Self::M3u, Self::Xspf, Self::Pls, Self::Asx];

    /// The extension of a document's name, without the dot.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Smil => "smil",
            Self::QuickTime => "qtl",
            Self::Ram => "ram",
            Self::M3u => "m3u",
            Self::Xspf => "xspf",
            Self::Pls => "pls",
            Self::Asx => "asx",
        }
    }

    /// The format with this extension, in upper or lower case. Other extensions of the same kinds of
    /// document lead to the nearest format.
    pub fn from_extension(extension: &str) -> Option<Self> {
        let extension = extension.to_ascii_lowercase();
        Some(match extension.as_str() {
            "smi" => Self::Smil,
            "m3u8" => Self::M3u,
            "wax" | "wvx" => Self::Asx,
            _ => return Self::ALL.into_iter().find(|format| format.extension() == extension),
        })
    }

    /// The media type. Only those of SMIL and XSPF are registered; players know the others.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Smil => "application/smil+xml",
            Self::QuickTime => "application/x-quicktime-media-link",
            Self::Ram => "audio/x-pn-realaudio",
            Self::M3u => "audio/x-mpegurl",
            Self::Xspf => "application/xspf+xml",
            Self::Pls => "audio/x-scpls",
            // MPlayer takes video/x-ms-asf for the media itself.
            Self::Asx => "video/x-ms-wvx",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extension_leads_to_its_format() {
        for format in Format::ALL {
            for extension in [format.extension(), &format.extension().to_uppercase()] {
                assert_eq!(Format::from_extension(extension), Some(format));
            }
        }
        for (extension, format) in
            [("smi", Format::Smil), ("M3U8", Format::M3u), ("wvx", Format::Asx)]
        {
            assert_eq!(Format::from_extension(extension), Some(format));
        }
        for other in ["", "sdp", "redirect", "m3u9"] {
            assert_eq!(Format::from_extension(other), None, "{other}");
        }
    }
}
