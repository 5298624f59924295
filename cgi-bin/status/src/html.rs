//! The common parts of all pages.

use cgi::http::StatusCode;
use cgi::{Asset, Environment, Page, Response, own_path, percent_encode};
use control::{Origin, ReplicaStatus};
use model::{SourceState, State};
use playlist::escape;

/// The pages' style.
pub(crate) const STYLE: Asset = Asset::new(
    "style.css",
    "text/css",
    concat!(include_str!("../../../crates/cgi/src/base.css"), include_str!("../assets/style.css")),
);
/// The script that keeps a page up to date.
pub(crate) const SCRIPT: Asset =
    Asset::new("live.js", "text/javascript", include_str!("../assets/live.js"));
/// The icon.
pub(crate) const ICON: Asset =
    Asset::new("icon.svg", "image/svg+xml", include_str!("../assets/icon.svg"));

/// The first page's heading.
pub(crate) const HOME: &str = "Relays";

/// Without a script, the browser reloads a page after this many seconds.
const REFRESH: u32 = 30;

/// The program's path and the origin's name.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    pub(crate) own: String,
    host: String,
}

impl Site {
    pub(crate) fn new(environment: &Environment) -> Self {
        let host = environment.host.as_deref().map(|host| escape(host).into_owned());
        Self { own: own_path(&environment.script), host: host.unwrap_or_default() }
    }

    /// A link to a relay's page.
    pub(crate) fn relay(&self, stream: &str, edge: &str) -> String {
        let text = format!("{}/<wbr/>{}", escape(stream), escape(edge));
        self.link(stream, edge, &text)
    }

    /// The same link, for a place where the stream is already named.
    pub(crate) fn edge(&self, stream: &str, edge: &str) -> String {
        self.link(stream, edge, &escape(edge))
    }

    fn link(&self, stream: &str, edge: &str, text: &str) -> String {
        let part = |name: &str| percent_encode(name.as_bytes());
        let href = format!("{}/relay/{}/{}", self.own, part(stream), part(edge));
        format!("<a href=\"{href}\">{text}</a>")
    }

    /// A page. `heading`, `title` and `main` are HTML; the script keeps `main` up to date. All
    /// pages except the first have a link back to it.
    pub(crate) fn page(
        &self,
        status: StatusCode,
        heading: &str,
        title: &str,
        main: &str,
    ) -> Response {
        let Self { own, host } = self;
        let (at, on) = match host.as_str() {
            "" => (String::new(), String::new()),
            host => (format!(" – {host}"), format!(" <small>on {host}</small>")),
        };
        let home = if own.is_empty() { "/" } else { own };
        let home = match heading {
            HOME => String::new(),
            _ => format!("<a href=\"{home}\">All relays</a>"),
        };
        let body = format!(
            "<header>\n<h1>{heading}{on}</h1>\n<p id=\"note\" role=\"status\"></p>\n\
             <p id=\"tools\">{home}</p>\n</header>\n\
             <main>\n{main}<footer>\n<p>As of {} · <a href=\"{own}/metrics\">metrics</a> · \
             <a href=\"{own}/relays.json\">JSON</a></p>\n</footer>\n</main>\n",
            time(wording::now())
        );
        let page = Page {
            own,
            title: &format!("{title}{at}"),
            style: &STYLE,
            script: Some(&SCRIPT),
            icon: Some(&ICON),
            head: &format!(
                "<noscript><meta http-equiv=\"refresh\" content=\"{REFRESH}\"/></noscript>\n"
            ),
            body: &body,
        };
        page.response(status)
    }

    /// A page that says only why it has no contents.
    pub(crate) fn trouble(&self, status: StatusCode, what: &str, why: &str) -> Response {
        let main =
            format!("<p id=\"sum\" role=\"status\" class=\"trouble\">{what}</p>\n<p>{why}</p>\n");
        self.page(status, "Status", what, &main)
    }
}

/// A time in UTC, because the web server's zone means nothing to readers. The script shows it in
/// the reader's zone.
pub(crate) fn time(at: u64) -> String {
    let time = wording::utc(at);
    let clock = wording::time_of_day(at);
    format!("<time datetime=\"{time}\">{} UTC</time>", clock.trim_end_matches('Z'))
}

/// A list of facts with their names, both in HTML.
pub(crate) fn facts(class: &str, facts: &[(&str, String)]) -> String {
    let facts: String = facts
        .iter()
        .map(|(name, fact)| format!("<div><dt>{name}</dt><dd>{fact}</dd></div>\n"))
        .collect();
    format!("<dl class=\"{class}\">\n{facts}</dl>\n")
}

/// A state, with its colour.
pub(crate) fn state(state: State) -> String {
    format!("<span class=\"state {state}\">{state}</span>")
}

/// Where a stream comes from and the state of its source; its replicas below.
pub(crate) fn origin(origin: &Origin) -> String {
    let Origin { kind, state, detail, replicas } = origin;
    let own = format!("{kind}, {}", going(*state, detail.as_deref()));
    let replicas = replicas.iter().map(|ReplicaStatus { to, state, detail, .. }| {
        let to: Vec<String> = to.iter().map(ToString::to_string).collect();
        let (to, state) = (to.join(", "), going(*state, detail.as_deref()));
        format!("<br/><small>replica to {to}:</small> {state}")
    });
    std::iter::once(own).chain(replicas).collect()
}

/// The state of an origin or a replica, and its reason.
fn going(state: SourceState, detail: Option<&str>) -> String {
    let class = if state == SourceState::Failed { "trouble" } else { "calm" };
    let state = match state {
        SourceState::Elsewhere => "sent by another program",
        state => state.word(),
    };
    let detail = detail.map(|detail| format!(" <small>{}</small>", escape(detail)));
    format!("<span class=\"{class}\">{state}</span>{}", detail.unwrap_or_default())
}

/// A number that the edge may not report.
pub(crate) fn viewers(viewers: Option<u32>) -> String {
    viewers.map_or_else(
        || "<span class=\"none\" title=\"the edge does not report it\">unknown</span>".to_owned(),
        |viewers| wording::grouped(viewers.into()),
    )
}
