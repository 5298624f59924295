//! The pages of the stream list that were made in the last second.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::stream_list::{StreamChoice, Streams};

/// A page is made at most once in this time. A crowd gets the same one.
const FRESH: Duration = Duration::from_secs(1);
/// How many different pages are kept for that time.
const MOST: usize = 64;

/// The pages of the last second.
#[derive(Debug, Default)]
pub(crate) struct StreamPages(BTreeMap<StreamChoice, (Instant, Streams)>);

impl StreamPages {
    /// The page that was made in the last second.
    pub(crate) fn get(&self, choice: &StreamChoice, now: Instant) -> Option<Streams> {
        let (made, page) = self.0.get(choice)?;
        (now.saturating_duration_since(*made) < FRESH).then(|| page.clone())
    }

    /// Keeps a page.
    pub(crate) fn put(&mut self, page: Streams, now: Instant) {
        self.0.retain(|_, (made, _)| now.saturating_duration_since(*made) < FRESH);
        if page.choice().page.is_some() && self.0.len() < MOST {
            self.0.insert(page.choice().clone(), (now, page));
        }
    }

    /// Forgets every page: the catalogue is another one.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    #[test]
    fn a_page_is_made_once_a_second() {
        let (mut pages, now) = (StreamPages::default(), Instant::now());
        let catalog = testing::catalog(&testing::edge("dss2", "198.51.100.7", ""), &[]);
        let choice = StreamChoice { page: Some(1), search: String::new() };
        let page = Streams::new(catalog.clone(), BTreeMap::new(), choice.clone());
        pages.put(page, now);
        assert!(pages.get(&choice, now + FRESH / 2).is_some());
        assert!(pages.get(&StreamChoice { page: Some(2), ..choice.clone() }, now).is_none());
        assert!(pages.get(&choice, now + FRESH).is_none());
        pages.clear();
        assert!(pages.get(&choice, now).is_none());
        pages.put(Streams::new(catalog, BTreeMap::new(), StreamChoice::default()), now);
        assert!(pages.get(&StreamChoice::default(), now).is_none(), "the whole list is no page");
    }
}
