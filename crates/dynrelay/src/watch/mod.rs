//! `dynrelay watch`: a live table of the relays.

mod frame;
mod screen;

use std::io::{self, Read};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use control::{ClientError, RelayList, Request};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGWINCH};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use self::frame::View;
use self::screen::Screen;
use crate::context::{Ask, Context};
use crate::event_stream::Told;
use crate::events;
use crate::failure::Failure;
use wording::now;

/// The time between two redraws of the table.
const EVERY: Duration = Duration::from_secs(1);
/// The shortest time between two redraws because of events: a thousand events must not cause a
/// thousand redraws.
const SOONEST: Duration = Duration::from_millis(100);

/// The inputs of the watch.
enum Input {
    Told(Told),
    Signal(i32),
    Key(u8),
}

/// Shows the relays until the user ends it. Without a terminal, prints events line by line.
pub(crate) fn run(context: &mut Context<'_>) -> Result<(), Failure> {
    if context.json || !context.terminal {
        return events::run(context);
    }
    let (tell, inputs) = mpsc::channel();
    let told = tell.clone();
    context.daemon.follow(Box::new(move |what| told.send(Input::Told(what)).is_ok()))?;
    // From here on, signals no longer end the program, so that it can restore the terminal.
    listen_for_signals(tell.clone())?;
    let Context { out, daemon, colors, .. } = context;
    let mut screen = Screen::open(*out)?;
    listen_for_keys(tell);
    let mut view = View::default();
    let (mut drawn, mut due) = (Instant::now(), Instant::now());
    loop {
        match inputs.recv_timeout(due.saturating_duration_since(Instant::now())) {
            Ok(Input::Told(Told::Event(line))) => {
                view.note(serde_json::from_str(line.get()).map_err(ClientError::Garbled)?);
                due = due.min(drawn + SOONEST);
            }
            Ok(Input::Told(Told::There(there))) => {
                view.there(there, now());
                due = drawn;
            }
            Ok(Input::Told(Told::Gone)) => {
                view.gone(now());
                due = drawn;
            }
            Ok(Input::Key(b'q' | b'Q')) => return Ok(()),
            Ok(Input::Key(_)) => {}
            Ok(Input::Signal(SIGTSTP)) => {
                screen.close()?;
                emulate_default_handler(SIGTSTP)?;
                screen.reopen()?;
                due = drawn;
            }
            Ok(Input::Signal(SIGCONT)) => {
                screen.reopen()?;
                due = drawn;
            }
            Ok(Input::Signal(SIGWINCH)) => due = drawn,
            Ok(Input::Signal(_)) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
            Err(RecvTimeoutError::Timeout) => {
                look(*daemon, &mut view);
                let size = Screen::size();
                screen.draw(&view.lines(size, now(), *colors), size)?;
                drawn = Instant::now();
                due = drawn + EVERY;
            }
        }
    }
}

/// Asks for the relays. If the daemon does not answer, the last answer stays; the event stream
/// reports that the daemon is gone.
fn look(daemon: &mut dyn Ask, view: &mut View) {
    if let Ok(answer) = daemon.ask(&Request::List { all: false, rates: false })
        && let Ok(RelayList { relays, .. }) = serde_json::from_str(answer.get())
    {
        view.relays = relays;
    }
}

fn listen_for_signals(tell: Sender<Input>) -> io::Result<()> {
    let mut signals = Signals::new([SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGWINCH])?;
    thread::spawn(move || {
        for signal in signals.forever() {
            if tell.send(Input::Signal(signal)).is_err() {
                return;
            }
        }
    });
    Ok(())
}

/// [`Screen`] makes the terminal pass on each key at once. Without a terminal there are no keys.
fn listen_for_keys(tell: Sender<Input>) {
    if !io::IsTerminal::is_terminal(&io::stdin()) {
        return;
    }
    thread::spawn(move || {
        for key in io::stdin().lock().bytes() {
            let Ok(key) = key else { return };
            if tell.send(Input::Key(key)).is_err() {
                return;
            }
        }
    });
}
