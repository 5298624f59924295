//! All counters and gauges, for Prometheus.

use std::fmt::Write;

use cgi::Response;
use cgi::http::StatusCode;
use control::{ClientError, RelayStatus};
use model::{CloseReason, State};

use crate::daemon::Overview;

/// The states of an open relay.
const STATES: [State; 3] = [State::Starting, State::Live, State::Suspect];

/// The format of the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// Prometheus' own text format 0.0.4, for clients that know no other, and for browsers.
    Text,
}

impl Dialect {
    /// OpenMetrics, unless the client accepts only other types.
    pub(crate) fn of(accept: &[u8]) -> Self {
        let accept = String::from_utf8_lossy(accept).to_ascii_lowercase();
        let names = |kind: &str| accept.contains(kind);
        match names("text/plain") || names("text/html") {
            true if !names("application/openmetrics-text") => Self::Text,
            _ => Self::OpenMetrics,
        }
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// The metrics. Without an overview, they say that the daemon is down, or refused to answer.
pub(crate) fn response(seen: Result<&Overview, &ClientError>, dialect: Dialect) -> Response {
    let mut told = Told { text: String::new(), dialect };
    let refused = matches!(seen, Err(ClientError::Refused(_)));
    told.gauge("dynrelay_up", "", "Whether dynrelayd answers.");
    told.sample("dynrelay_up", &[], u64::from(seen.is_ok() || refused));
    told.gauge(
        "dynrelay_refused",
        "",
        "Whether dynrelayd refused these numbers: a limit is reached.",
    );
    told.sample("dynrelay_refused", &[], u64::from(refused));
    if let Ok(seen) = seen {
        told.daemon(seen);
        let relays = seen.relays.relays.iter();
        let running: Vec<_> = relays.filter(|relay| relay.state != State::Closed).collect();
        told.states(&running);
        told.relays(&running);
        told.streams(seen);
    }
    told.text.push_str("# EOF\n");
    cgi::binary_response(StatusCode::OK, dialect.content_type(), told.text.into_bytes())
}

struct Told {
    text: String,
    dialect: Dialect,
}

impl Told {
    fn daemon(&mut self, seen: &Overview) {
        self.gauge("dynrelay_build_info", "", "The version of dynrelayd, as a label.");
        self.sample("dynrelay_build_info", &[("version", &seen.daemon.version)], 1);
        self.gauge("dynrelay_uptime_seconds", "seconds", "How long dynrelayd has been running.");
        self.sample("dynrelay_uptime_seconds", &[], seen.daemon.uptime);
        self.counter("dynrelay_relays_closed", "", "Relays that have closed since it started.");
        // A counter must exist before it can grow, so each reason begins with 0.
        for reason in CloseReason::ALL {
            let count = seen.daemon.closed.get(reason).copied().unwrap_or_default();
            self.sample("dynrelay_relays_closed_total", &[("reason", reason.word())], count);
        }
    }

    fn states(&mut self, running: &[&RelayStatus]) {
        self.gauge("dynrelay_relays", "", "Open relays, by state.");
        for state in STATES {
            let count = running.iter().filter(|relay| relay.state == state).count();
            self.sample("dynrelay_relays", &[("state", state.word())], count as u64);
        }
        if running.is_empty() {
            return;
        }
        self.gauge("dynrelay_relay_state", "", "1 for the state that a relay is in.");
        for relay in running {
            for state in STATES {
                let labels =
                    [("stream", &*relay.stream), ("edge", &*relay.edge), ("state", state.word())];
                self.sample("dynrelay_relay_state", &labels, u64::from(relay.state == state));
            }
        }
    }

    /// The counters of each relay.
    fn relays(&mut self, running: &[&RelayStatus]) {
        if running.is_empty() {
            return;
        }
        let name = "dynrelay_relay_start_time_seconds";
        self.gauge(name, "seconds", "When a relay began, since 1970.");
        self.each(name, running, |relay| Some(relay.started));
        if running.iter().any(|relay| relay.viewers.is_some()) {
            let name = "dynrelay_relay_viewers";
            self.gauge(name, "", "Viewers at the edge, if it reports them.");
            self.each(name, running, |relay| relay.viewers.map(u64::from));
        }
        type Of = fn(&RelayStatus) -> u64;
        let counters: [(&str, &str, &str, Of); 7] = [
            ("packets", "", "Packets sent to the edge.", |relay| relay.packets),
            ("sent_bytes", "bytes", "UDP payload sent to the edge.", |relay| relay.bytes),
            ("refusals", "", "Packets that the edge refused.", |relay| relay.refusals),
            ("forged_errors", "", "ICMP errors that fit no packet that was sent.", |relay| {
                relay.forged
            }),
            ("missing_packets", "", "Packets that never arrived from the encoder.", |relay| {
                relay.gaps
            }),
            ("dropped_packets", "", "Packets that came faster than they were read.", |relay| {
                relay.drops
            }),
            ("unsent_packets", "", "Packets that could not be sent.", |relay| relay.lost),
        ];
        for (name, unit, help, of) in counters {
            let name = format!("dynrelay_relay_{name}");
            self.counter(&name, unit, help);
            self.each(&format!("{name}_total"), running, |relay| Some(of(relay)));
        }
    }

    fn streams(&mut self, seen: &Overview) {
        self.gauge("dynrelay_streams", "", "Streams in the catalogue.");
        self.sample("dynrelay_streams", &[], seen.streams.len() as u64);
        let known = seen.streams.iter().filter_map(|stream| Some((&stream.name, stream.on_air?)));
        let known: Vec<_> = known.collect();
        if !known.is_empty() {
            self.gauge(
                "dynrelay_stream_on_air",
                "",
                "Whether a stream is on air, if that is known.",
            );
        }
        for (stream, on_air) in known {
            self.sample("dynrelay_stream_on_air", &[("stream", stream)], u64::from(on_air));
        }
    }

    fn each(
        &mut self,
        name: &str,
        running: &[&RelayStatus],
        of: impl Fn(&RelayStatus) -> Option<u64>,
    ) {
        for relay in running {
            if let Some(value) = of(relay) {
                let labels = [("stream", &*relay.stream), ("edge", &*relay.edge)];
                self.sample(name, &labels, value);
            }
        }
    }

    fn gauge(&mut self, name: &str, unit: &str, help: &str) {
        self.family(name, "gauge", unit, help);
    }

    /// A counter. Its samples' names end in `_total`, which OpenMetrics does not count as part of
    /// its name.
    fn counter(&mut self, name: &str, unit: &str, help: &str) {
        match self.dialect {
            Dialect::OpenMetrics => self.family(name, "counter", unit, help),
            Dialect::Text => self.family(&format!("{name}_total"), "counter", unit, help),
        }
    }

    fn family(&mut self, name: &str, kind: &str, unit: &str, help: &str) {
        let _ = writeln!(self.text, "# TYPE {name} {kind}");
        if !unit.is_empty() && self.dialect == Dialect::OpenMetrics {
            let _ = writeln!(self.text, "# UNIT {name} {unit}");
        }
        let _ = writeln!(self.text, "# HELP {name} {help}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: u64) {
        self.text.push_str(name);
        for (at, (label, text)) in labels.iter().enumerate() {
            let open = if at == 0 { '{' } else { ',' };
            let _ = write!(self.text, "{open}{label}=\"{}\"", escaped(text));
        }
        let close = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.text, "{close} {value}");
    }
}

/// A label's text, with escapes for characters that would end it or its line.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_chooses_the_dialect() {
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.75,text/plain;q=0.5,*/*";
        for (accept, dialect) in [
            (prometheus, Dialect::OpenMetrics),
            ("*/*", Dialect::OpenMetrics),
            ("", Dialect::OpenMetrics),
            ("text/plain;version=0.0.4", Dialect::Text),
            ("text/html,application/xhtml+xml", Dialect::Text),
        ] {
            assert_eq!(Dialect::of(accept.as_bytes()), dialect, "{accept}");
        }
    }

    #[test]
    fn a_label_is_escaped() {
        assert_eq!(escaped("a\"b\\c\nd"), "a\\\"b\\\\c\\nd");
    }
}
