//! The page that shows a viewer the streams.

use std::fmt::Write;

use cgi::http::StatusCode;
use cgi::{Asset, Page, Response, own_path, percent_encode};
use control::{Page as StreamPage, StreamList, StreamStatus};
use playlist::{Format, escape};

/// The path of the page's style. No stream's name begins with a dot, so no stream has this path.
pub(crate) const STYLE: Asset = Asset::new(
    ".style.css",
    "text/css",
    concat!(include_str!("../../../crates/cgi/src/base.css"), include_str!("page.css")),
);

/// The links to a stream: the ending of each, and the players that follow it.
const LINKS: [(&str, &str, &str); 8] = [
    (Format::M3u.extension(), "M3U", "mpv, VLC"),
    (Format::Smil.extension(), "SMIL", "MPlayer, Totem"),
    (Format::QuickTime.extension(), "QuickTime link", "QuickTime, xine"),
    (Format::Xspf.extension(), "XSPF", "VLC, Audacious"),
    (Format::Ram.extension(), "RAM", "RealPlayer"),
    (Format::Pls.extension(), "PLS", "Winamp, XMMS"),
    (Format::Asx.extension(), "ASX", "Windows Media Player"),
    ("redirect", "RTSP address", "any other player"),
];

/// A page with links to streams for every player, in the order of the list. `search` is what the
/// viewer looks for, and `script` is the program's own path.
pub(crate) fn list(list: &StreamList, search: &str, script: &[u8]) -> Response {
    let own = own_path(script);
    let streams = &list.streams;
    let on_air = streams.iter().filter(|stream| stream.on_air == Some(true)).count();
    let lead = match (streams.len(), on_air) {
        (0, _) if !search.is_empty() => "No stream has that in its name or title.".to_owned(),
        (0, _) => "There are no streams.".to_owned(),
        (_, 0) => "No stream is known to be on air now.".to_owned(),
        (_, 1) => "One stream is on air now.".to_owned(),
        (_, many) => format!("{many} streams are on air now."),
    };
    let hint = match streams.is_empty() {
        true => "",
        false => " Choose the link that names your player: it opens the stream there.",
    };
    let several = list.page.filter(|page| page.pages > 1);
    let form = match several.is_some() || !search.is_empty() {
        true => search_form(search, &own),
        false => String::new(),
    };
    let pages = several.map(|page| page_links(page, search, &own)).unwrap_or_default();
    let streams: String = streams.iter().map(|stream| section(stream, &own)).collect();
    let body = format!(
        "<main>\n<h1>Live streams</h1>\n<p>{lead}{hint}</p>\n{form}{streams}{pages}</main>\n"
    );
    let page = Page {
        own: &own,
        title: "Live streams",
        style: &STYLE,
        script: None,
        icon: None,
        head: "",
        body: &body,
    };
    page.response(StatusCode::OK)
}

fn search_form(search: &str, own: &str) -> String {
    format!(
        "<form role=\"search\" action=\"{own}\"><label for=\"search\">Name or title</label> \
         <input id=\"search\" name=\"search\" type=\"search\" value=\"{}\"/> \
         <button>Search</button></form>\n",
        escape(search)
    )
}

/// Links to the page before and the page after this one.
fn page_links(page: StreamPage, search: &str, own: &str) -> String {
    let StreamPage { number, pages, matches } = page;
    let link = |to: usize, text: &str| {
        let search = match search {
            "" => String::new(),
            search => format!("&amp;search={}", percent_encode(search.as_bytes())),
        };
        format!(" <a href=\"{own}?page={to}{search}\">{text}</a>")
    };
    let before = if number > 1 { link(number - 1, "Previous") } else { String::new() };
    let after = if number < pages { link(number + 1, "Next") } else { String::new() };
    format!(
        "<nav aria-label=\"Pages\">Page {number} of {pages}, {matches} streams{before}{after}</nav>\n"
    )
}

fn section(stream: &StreamStatus, own: &str) -> String {
    let name = percent_encode(stream.name.as_bytes());
    let title = escape(stream.title.as_deref().unwrap_or(&stream.name));
    let (class, air) = match stream.on_air {
        Some(true) => ("on", "On air"),
        Some(false) => ("off", "Off air"),
        None => ("unknown", "May be on air"),
    };
    let mut section = format!(
        "<section aria-labelledby=\"{name}\">\n<h2 id=\"{name}\">{title}</h2>\n\
         <p class=\"air {class}\">{air}</p>\n"
    );
    if !stream.media.is_empty() {
        let _ = writeln!(section, "<p class=\"media\">{}</p>", escape(&stream.media.join(", ")));
    }
    section.push_str("<ul>\n");
    for (extension, document, players) in LINKS {
        let _ = writeln!(
            section,
            "<li><a href=\"{own}/{name}.{extension}\">{players} <small>{document}</small></a></li>"
        );
    }
    section.push_str("</ul>\n</section>\n");
    section
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(name: &str, title: Option<&str>, on_air: Option<bool>, script: &[u8]) -> String {
        let stream = StreamStatus {
            name: name.into(),
            title: title.map(Into::into),
            media: vec!["video H264".into(), "<b>".into()],
            edges: vec!["dss2".into()],
            on_air,
            ..StreamStatus::default()
        };
        text(list(&StreamList { streams: vec![stream], page: None }, "", script))
    }

    fn text(response: Response) -> String {
        String::from_utf8(response.into_body()).unwrap()
    }

    #[test]
    fn everything_is_escaped() {
        let title = Some("<script>alert('1')</script>");
        let page = page("a\"b", title, None, b"//cgi \"<\xe9/relay.cgi/");
        assert!(page.contains("&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;"), "{page}");
        assert!(page.contains("href=\"/cgi%20%22%3C%E9/relay.cgi/a%22b.smil\""), "{page}");
        assert!(page.contains("video H264, &lt;b&gt;"), "{page}");
    }

    #[test]
    fn each_stream_has_a_link_for_every_player() {
        let page = page("news", None, None, b"/cgi-bin/relay.cgi");
        for extension in Format::ALL.map(Format::extension).iter().chain(&["redirect"]) {
            let href = format!("href=\"/cgi-bin/relay.cgi/news.{extension}\"");
            assert!(page.contains(&href), "{page}");
        }
        assert!(!page.contains("dss2"), "{page}");
    }

    #[test]
    fn each_stream_says_whether_it_is_on_air() {
        for (on_air, said) in
            [(Some(true), ">On air<"), (Some(false), ">Off air<"), (None, ">May be on air<")]
        {
            assert!(page("news", None, on_air, b"").contains(said));
        }
    }

    #[test]
    fn several_pages_are_linked_and_can_be_searched() {
        let page = StreamPage { number: 2, pages: 3, matches: 120 };
        let list = |search: &str| {
            let streams = StreamList { streams: Vec::new(), page: Some(page) };
            text(super::list(&streams, search, b"/relay.cgi"))
        };
        let plain = list("");
        assert!(plain.contains("Page 2 of 3, 120 streams"), "{plain}");
        assert!(plain.contains("href=\"/relay.cgi?page=1\""), "{plain}");
        let searched = list("a\"&b");
        assert!(searched.contains("?page=3&amp;search=a%22%26b\""), "{searched}");
        assert!(searched.contains("value=\"a&quot;&amp;b\""), "{searched}");
    }

    #[test]
    fn the_page_says_that_there_are_no_streams() {
        assert!(text(list(&StreamList::default(), "", b"")).contains("There are no streams."));
    }
}
