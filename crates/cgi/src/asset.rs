//! Files that a page needs: a style, a script, an icon.

use cgi_response::Response;
use cgi_response::http::header;

use crate::set;

/// A file that the program itself serves. Its link changes with its contents, so browsers may cache
/// it.
#[derive(Clone, Copy, Debug)]
pub struct Asset {
    name: &'static str,
    content_type: &'static str,
    text: &'static str,
}

impl Asset {
    /// A file with this name, below the program's own path.
    pub const fn new(name: &'static str, content_type: &'static str, text: &'static str) -> Self {
        Self { name, content_type, text }
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The link to it; `own` is the program's path as [`crate::own_path`] gives it.
    pub fn href(&self, own: &str) -> String {
        format!("{own}/{}?{:016x}", self.name, fingerprint(self.text.as_bytes()))
    }

    /// The response with the file. Browsers may cache it for a day.
    pub fn response(&self) -> Response {
        let body = self.text.as_bytes().to_vec();
        let mut response = cgi_response::binary_response(200, self.content_type, body);
        set(&mut response, header::CACHE_CONTROL, "max-age=86400");
        response
    }
}

/// FNV-1a. Another text has another hash, except by rare chance.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_text_has_another_link() {
        let asset = |text| Asset::new("style.css", "text/css", text);
        assert_eq!(asset("").href("/x.cgi"), "/x.cgi/style.css?cbf29ce484222325");
        assert_ne!(asset("a").href(""), asset("b").href(""));
    }

    #[test]
    fn browsers_may_cache_it() {
        let response = Asset::new("style.css", "text/css", "b{}").response();
        assert_eq!(response.headers()[header::CACHE_CONTROL], "max-age=86400");
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/css");
    }
}
