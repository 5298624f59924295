//! Receives signals as messages.

use std::io;
use std::sync::mpsc::Sender;
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::message::Message;
use crate::core::Input;

/// Turns SIGHUP, SIGTERM and SIGINT into messages, on a thread of its own.
pub(crate) fn listen(sender: Sender<Message>) -> io::Result<()> {
    let mut signals = Signals::new([SIGHUP, SIGTERM, SIGINT])?;
    thread::Builder::new().name("signals".into()).spawn(move || {
        for signal in signals.forever() {
            let input = if signal == SIGHUP { Input::Reload } else { Input::Stop };
            if sender.send(Message::Input(input)).is_err() {
                return;
            }
        }
    })?;
    Ok(())
}
