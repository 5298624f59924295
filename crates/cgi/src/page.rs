//! A page for a browser.

use cgi_response::Response;
use cgi_response::http::{StatusCode, header};

use crate::{Asset, set};

/// A page, well-formed as HTML and as XML. All that is in it is HTML already: whoever makes it has escaped what needs it.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// The program's own path, as [`crate::own_path`] gives it.
    pub own: &'a str,
    /// Its title.
    pub title: &'a str,
    /// Its style.
    pub style: &'a Asset,
    /// Its script and its icon, if it has any.
    pub script: Option<&'a Asset>,
    /// See there.
    pub icon: Option<&'a Asset>,
    /// What else is in its head.
    pub head: &'a str,
    /// What is in its body.
    pub body: &'a str,
}

impl Page<'_> {
    /// The answer that it is. Whatever gets into it, a browser loads nothing but what is named
    /// here, from this host, and runs no script that is written into it.
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
    fn a_page_may_load_what_it_names_and_no_more() {
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
