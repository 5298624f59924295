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
use crate::wording::now;

/// How often the table is drawn anew.
const EVERY: Duration = Duration::from_secs(1);
/// How soon after that an event may have it drawn again: a thousand events are not a thousand tables.
const SOONEST: Duration = Duration::from_millis(100);

/// Everything that the watch reacts to.
enum Input {
    Told(Told),
    Signal(i32),
    Key(u8),
}

/// Shows the relays until somebody ends it. Where there is no terminal to draw on, it tells events
/// line by line.
pub(crate) fn run(context: &mut Context<'_>) -> Result<(), Failure> {
    if context.json || !context.terminal {
        return events::run(context);
    }
    let (tell, inputs) = mpsc::channel();
    let told = tell.clone();
    context.daemon.follow(Box::new(move |what| told.send(Input::Told(what)).is_ok()))?;
    // From here on signals no longer end the program by themselves, which would leave the terminal
    // as it is.
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

/// Asks for the relays. That a daemon is gone is told by its events; until then, and meanwhile, what
/// it said last stays.
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

/// Keys come one by one, as [`Screen`] has told the terminal; what is no terminal has none.
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
