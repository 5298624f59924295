//! Listens for a second to find out which streams are on air, on a thread of its own.

use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;

use control::Verdict;
use forward::Plane;
use scan::Scan;
use tracing::warn;

use super::message::Message;
use crate::core::{Audible, Input};

/// The time that it listens to a silent stream.
const LISTENS: Duration = Duration::from_secs(1);

/// Starts to listen, by taps of the data plane. A relay that starts meanwhile can use the same
/// port. Returns the result at once if listening is impossible.
pub(crate) fn listen(
    streams: Vec<Audible>,
    plane: &Plane,
    sender: Sender<Message>,
) -> Option<Input> {
    let media = streams.iter().flat_map(|(_, media)| media).cloned().collect();
    let mut scan = Scan::on(plane, media, true);
    let spawned = thread::Builder::new().name("on-air".into()).spawn(move || {
        scan.listen(LISTENS);
        let mut results = scan.results().into_iter().map(|result| result.verdict());
        let result = |(stream, media): &Audible| {
            let verdicts: Vec<Verdict> = results.by_ref().take(media.len()).collect();
            (stream.clone(), on_air(&verdicts))
        };
        let results = streams.iter().map(result).collect();
        // There is no receiver only while the daemon stops.
        let _ = sender.send(Message::Input(Input::OnAir(results)));
    });
    let error = spawned.err()?;
    warn!(%error, "can't find out which streams are on air");
    Some(Input::OnAir(Vec::new()))
}

/// A stream is on air if one of its media is. It is off air if no media is, and all could be heard.
fn on_air(media: &[Verdict]) -> Option<bool> {
    if media.contains(&Verdict::Active) {
        return Some(true);
    }
    let in_vain = !media.is_empty() && media.iter().all(|media| *media == Verdict::NotActive);
    in_vain.then_some(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_media_on_air_is_enough_and_a_media_without_a_result_says_nothing() {
        use Verdict::{Active, Busy, Failed, NotActive};
        assert_eq!(on_air(&[NotActive, Active]), Some(true));
        assert_eq!(on_air(&[NotActive, NotActive]), Some(false));
        assert_eq!(on_air(&[NotActive, Failed]), None);
        assert_eq!(on_air(&[Busy]), None);
        assert_eq!(on_air(&[]), None);
    }
}
