//! Reloads: their callers, and whether a reading is under way.

use catalog::Catalog;
use control::{Refused, Reloaded};

use super::effect::{Answer, Effect};
use super::input::CallId;

/// The current reload, and the next one.
#[derive(Debug, Default)]
pub(crate) struct Reloads {
    reading: bool,
    /// The callers of the current reload.
    callers: Vec<CallId>,
    /// Callers who asked later: the files may have changed since they were read.
    next: Option<Vec<CallId>>,
}

impl Reloads {
    /// Requests a reload. Returns whether to read the files now.
    pub(crate) fn ask(&mut self, call: Option<CallId>) -> bool {
        if self.reading {
            self.next.get_or_insert_default().extend(call);
            return false;
        }
        self.callers.extend(call);
        self.reading = true;
        true
    }

    /// Answers the callers of the current reload, because the files have been read. Returns whether
    /// to read them again.
    pub(crate) fn end(
        &mut self,
        result: &Result<Reloaded, Refused>,
        effects: &mut Vec<Effect>,
    ) -> bool {
        for call in std::mem::take(&mut self.callers) {
            let answer = match result {
                Ok(reloaded) => Answer::Reloaded(reloaded.clone()),
                Err(refused) => Answer::Refused(refused.clone()),
            };
            effects.push(Effect::Reply { call, answer });
        }
        self.reading = self.next.is_some();
        self.callers = self.next.take().unwrap_or_default();
        self.reading
    }

    /// Removes all waiting callers.
    pub(crate) fn take_all(&mut self) -> Vec<CallId> {
        let mut all = std::mem::take(&mut self.callers);
        all.extend(self.next.take().into_iter().flatten());
        all
    }
}

/// The answer to a reload.
pub(crate) fn reloaded(catalog: &Catalog) -> Reloaded {
    Reloaded {
        streams: catalog.streams().len(),
        edges: catalog.edges().len(),
        problems: catalog.problems().iter().map(ToString::to_string).collect(),
    }
}
