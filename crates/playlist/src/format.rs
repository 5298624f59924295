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
}

impl Format {
    /// All formats, the best known first.
    pub const ALL: [Self; 5] = [Self::Smil, Self::QuickTime, Self::Ram, Self::M3u, Self::Xspf];

    /// The extension of a document's name, without the dot.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Smil => "smil",
            Self::QuickTime => "qtl",
            Self::Ram => "ram",
            Self::M3u => "m3u",
            Self::Xspf => "xspf",
        }
    }

    /// The format with this extension.
    pub fn from_extension(extension: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.extension() == extension)
    }

    /// The media type. Only those of SMIL and XSPF are registered; players know the others.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Smil => "application/smil+xml",
            Self::QuickTime => "application/x-quicktime-media-link",
            Self::Ram => "audio/x-pn-realaudio",
            Self::M3u => "audio/x-mpegurl",
            Self::Xspf => "application/xspf+xml",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extension_names_its_format() {
        for format in Format::ALL {
            assert_eq!(Format::from_extension(format.extension()), Some(format));
        }
        for other in ["", "SMIL", "smi", "sdp", "redirect"] {
            assert_eq!(Format::from_extension(other), None, "{other}");
        }
    }
}
