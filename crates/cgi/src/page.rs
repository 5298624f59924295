//! A page for a browser.

use cgi_response::Response;
use cgi_response::http::{StatusCode, header};

use crate::{Asset, set};

/// A page, well-formed as HTML and as XML. All fields are HTML; the caller has escaped them.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// The program's own path, see [`crate::own_path`].
    pub own: &'a str,
    /// Its title.
    pub title: &'a str,
    /// Its style.
    pub style: &'a Asset,
    /// Its script.
    pub script: Option<&'a Asset>,
    /// Its icon.
    pub icon: Option<&'a Asset>,
    /// More elements for its head.
    pub head: &'a str,
    /// Its body.
    pub body: &'a str,
}

impl Page<'_> {
    /// The response with this page. Its policy lets a browser load only the files named here, from
    /// this host, and run no inline script.
    pub fn response(&self, status: StatusCode) -> Response {
        let Self { own, title, style, head, body, .. } = self;
        let style = format!("<link rel=\"stylesheet\" href=\"{}\"/>\n", style.href(own));
        let icon = self.icon.map(|icon| icon.href(own));
        let icon = icon.map(|href| format!("<link rel=\"icon\" href=\"{href}\"/>\n"));
        let script = self.script.map(|script| script.href(own));
        let script = script.map(|src| format!("<script src=\"{src}\" defer=\"\"></script>\n"));
        let (icon, script) = (icon.unwrap_or_default(), script.unwrap_or_default());
        let html = format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
             <meta name=\"color-scheme\" content=\"light dark\"/>\n<title>{title}</title>\n\
             {style}{icon}{script}{head}</head>\n<body>\n{body}</body>\n</html>\n"
        );
        let mut response = cgi_response::html_response(status, html);
        set(&mut response, header::CONTENT_SECURITY_POLICY, &self.policy());
        set(&mut response, header::REFERRER_POLICY, "no-referrer");
        response
    }

    fn policy(&self) -> String {
        let script = self.script.map_or("", |_| "script-src 'self'; connect-src 'self'; ");
        let icon = self.icon.map_or("", |_| "img-src 'self'; ");
        format!(
            "default-src 'none'; {script}{icon}style-src 'self'; base-uri 'none'; \
             form-action 'none'; frame-ancestors 'none'"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_may_load_only_the_files_that_it_names() {
        let asset = Asset::new("a", "text/css", "");
        let mut page = Page {
            own: "/x.cgi",
            title: "X",
            style: &asset,
            script: None,
            icon: None,
            head: "",
            body: "<p>",
        };
        let bare = page.response(StatusCode::OK);
        let policy = bare.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'self'; base-uri"), "{policy}");
        page.script = Some(&asset);
        page.icon = Some(&asset);
        let full = page.response(StatusCode::OK);
        let policy = full.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe"), "{policy}");
        let html = String::from_utf8(full.into_body()).unwrap();
        assert!(html.contains("<script src=\"/x.cgi/a?cbf29ce484222325\" defer=\"\"></script>"));
    }
}
