//! The contents of the watch, as lines.

use std::collections::VecDeque;

use control::{Event, Pong, RelayStatus};

use super::screen::Size;
use crate::color::Color;
use crate::list::{name, viewers};
use crate::table::{Cell, Column, Table};
use crate::text::plain;
use wording::{age, count, explained, grouped, rate, time_of_day, utc};

/// The number of events that are kept, and shown if there is room.
const LATELY: usize = 20;

/// The state of the daemon and its relays.
#[derive(Debug, Default)]
pub(crate) struct View {
    /// As of the daemon's last answer.
    pub(crate) relays: Vec<RelayStatus>,
    daemon: Option<Daemon>,
    /// The latest first.
    lately: VecDeque<Event>,
}

/// Whether the daemon is there, and since when, in seconds since 1970.
#[derive(Debug)]
struct Daemon {
    version: String,
    began: u64,
    gone: Option<u64>,
}

impl View {
    /// The daemon is there.
    pub(crate) fn there(&mut self, daemon: Pong, now: u64) {
        let began = now.saturating_sub(daemon.uptime);
        self.daemon = Some(Daemon { version: daemon.version, began, gone: None });
    }

    /// The daemon is gone.
    pub(crate) fn gone(&mut self, now: u64) {
        if let Some(daemon) = &mut self.daemon {
            daemon.gone = Some(now);
        }
    }

    /// Adds an event.
    pub(crate) fn note(&mut self, event: Event) {
        self.lately.push_front(event);
        self.lately.truncate(LATELY);
    }

    /// The picture, at most as large as `size`: the daemon, its relays, and recent events below.
    pub(crate) fn lines(&self, size: Size, now: u64, colors: bool) -> Vec<String> {
        let mut lines = vec![self.title(size, now, colors), String::new()];
        if self.relays.is_empty() {
            lines.push("Nothing is relayed now.".to_owned());
        } else {
            let mut relays = self.relays(now).lines(size.width, colors);
            let room = size.height.saturating_sub(lines.len()).max(1);
            if relays.len() > room {
                let hidden = relays.len() - room + 1;
                relays.truncate(room.saturating_sub(1));
                relays.push(format!("… and {} more", count(hidden, "line")));
            }
            lines.extend(relays);
        }
        if !self.lately.is_empty() {
            lines.push(String::new());
            lines.extend(self.lately().lines(size.width, colors));
        }
        lines.truncate(size.height);
        lines
    }

    /// The daemon and the sums. The time at the right end shows that the watch goes on.
    fn title(&self, size: Size, now: u64, colors: bool) -> String {
        let (said, color) = match &self.daemon {
            Some(Daemon { gone: Some(since), .. }) => {
                let ago = age(now.saturating_sub(*since));
                (format!("dynrelayd is gone for {ago}; waiting for it. Last seen:"), Color::Red)
            }
            Some(Daemon { version, began, gone: None }) => {
                let up = age(now.saturating_sub(*began));
                (format!("dynrelayd {version}, up {up}: {}", self.sums()), Color::Bold)
            }
            None => ("dynrelayd".to_owned(), Color::Bold),
        };
        let (said, time) = (plain(&said), time_of_day(now));
        match size.width.checked_sub(said.chars().count() + time.len()) {
            Some(space @ 2..) => format!("{}{}{time}", color.on(&said, colors), " ".repeat(space)),
            _ => color.on(&said.chars().take(size.width).collect::<String>(), colors),
        }
    }

    fn sums(&self) -> String {
        let relays = count(self.relays.len(), "relay");
        let total = rate(self.relays.iter().map(|relay| relay.rate).sum());
        let told: Vec<u32> = self.relays.iter().filter_map(|relay| relay.viewers).collect();
        if told.is_empty() {
            return format!("{relays}, {total}");
        }
        let viewers: u64 = told.into_iter().map(u64::from).sum();
        format!("{relays}, {total}, {}", count(viewers, "viewer"))
    }

    fn relays(&self, now: u64) -> Table {
        let mut table = Table::new([
            Column::name("RELAY"),
            Column::name("STATE"),
            Column::number("FOR").spare(2),
            Column::number("RATE"),
            Column::number("SENT").spare(3),
            Column::number("VIEWERS"),
            Column::number("REFUSED"),
            Column::number("AGE").spare(1),
        ]);
        for relay in &self.relays {
            table.row([
                name(relay),
                Cell::from(relay.state.word()).colored(Color::of_state(relay.state)),
                age(now.saturating_sub(relay.since)).into(),
                rate(relay.rate).into(),
                wording::size(relay.bytes).into(),
                viewers(relay).into(),
                grouped(relay.refusals).into(),
                age(now.saturating_sub(relay.started)).into(),
            ]);
        }
        table
    }

    fn lately(&self) -> Table {
        let mut table =
            Table::new([Column::name("LATELY"), Column::name("RELAY"), Column::text("IS")]);
        for Event { at, stream, edge, state, reason } in &self.lately {
            let why = reason.as_ref().map(|reason| format!(": {}", explained(*reason)));
            let what = format!("{state}{}", why.unwrap_or_default());
            table.row([
                utc(*at).into(),
                Cell::from(format!("{stream}/{edge}")),
                Cell::from(what).colored(Color::of_state(*state)),
            ]);
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{NOW, pong};

    const SIZE: Size = Size { width: 80, height: 24 };

    fn view() -> View {
        let relay = |stream: &str, state: &str, viewers: Option<u32>| -> RelayStatus {
            let json = serde_json::json!({
                "stream": stream, "edge": "dss2", "state": state, "since": NOW - 10,
                "started": NOW - 8040, "packets": 9, "bytes": 1_440_000_000, "rate": 150_000,
                "refusals": 3, "viewers": viewers,
            });
            serde_json::from_value(json).unwrap()
        };
        let mut view = View::default();
        view.there(pong("0.1.0", 42, 8040), NOW);
        view.relays = vec![relay("news", "live", Some(12)), relay("sport", "starting", None)];
        view.note(Event {
            at: NOW - 70,
            stream: "film".into(),
            edge: "dss3".into(),
            state: model::State::Closed,
            reason: Some(model::CloseReason::NoViewers),
        });
        view
    }

    #[test]
    fn the_picture_shows_everything() {
        assert_eq!(
            view().lines(SIZE, NOW, false).join("\n"),
            "\
dynrelayd 0.1.0, up 2h 14m: 2 relays, 2.4 Mbit/s, 12 viewers           12:00:00Z

RELAY       STATE     FOR        RATE    SENT  VIEWERS  REFUSED     AGE
news/dss2   live      10s  1.2 Mbit/s  1.4 GB       12        3  2h 14m
sport/dss2  starting  10s  1.2 Mbit/s  1.4 GB        -        3  2h 14m

LATELY                RELAY      IS
2024-07-16T11:58:50Z  film/dss3  closed: no-viewers (nobody watches there any m…"
        );
        let narrow = view().lines(Size { width: 66, ..SIZE }, NOW, false);
        assert!(narrow[0].ends_with("12 viewers"), "{}", narrow[0]);
    }

    #[test]
    fn no_picture_is_larger_than_its_screen() {
        let mut view = view();
        view.relays = view.relays.iter().cycle().take(50).cloned().collect();
        for height in [0, 1, 2, 3, 4, 10, 24, 60] {
            for width in [20, 40, 60, 80, 120] {
                let lines = view.lines(Size { width, height }, NOW, false);
                assert!(lines.len() <= height, "{width} x {height}: {lines:?}");
                let longest = lines.iter().map(|line| line.chars().count()).max();
                assert!(width < 40 || longest.unwrap_or(0) <= width, "{width}: {lines:?}");
            }
        }
        let lines = view.lines(Size { width: 80, height: 10 }, NOW, false);
        assert_eq!(lines[9], "… and 44 lines more");
    }

    #[test]
    fn the_title_says_that_the_daemon_is_gone_or_back() {
        let mut view = view();
        view.gone(NOW - 5);
        let title = |view: &View| view.lines(SIZE, NOW, true)[0].clone();
        assert!(title(&view).contains("\u{1b}[31mdynrelayd is gone for 5s; waiting"));
        view.there(pong("0.2.0", 43, 0), NOW);
        assert!(title(&view).contains("dynrelayd 0.2.0, up 0s"));
        view.relays.clear();
        assert_eq!(view.lines(SIZE, NOW, false)[2], "Nothing is relayed now.");
    }
}
