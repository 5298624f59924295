//! Signals, as messages.

use std::io;
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::core::input::{Input, Post};

/// Turns SIGHUP, SIGTERM and SIGINT into messages, on a thread of its own.
pub(crate) fn listen(post: Post) -> io::Result<()> {
    let mut signals = Signals::new([SIGHUP, SIGTERM, SIGINT])?;
    thread::Builder::new().name("signals".into()).spawn(move || {
        for signal in signals.forever() {
            let input = if signal == SIGHUP { Input::Reload } else { Input::Stop };
            if post.send(input).is_err() {
                return;
            }
        }
    })?;
    Ok(())
}
