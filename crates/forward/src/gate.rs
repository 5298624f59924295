//! What may pass to an output, set from anywhere and read by the worker for each batch.

use model::Gate;
use std::sync::atomic::{AtomicU32, Ordering};

/// A gate that is shared, with a count of its settings above the two low bits: so the worker
/// shuts exactly the probe that it sent, never one that was asked for meanwhile.
#[derive(Debug)]
pub(crate) struct GateCell(AtomicU32);

/// One reading of a [`GateCell`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Setting(u32);

impl Setting {
    pub(crate) fn gate(self) -> Gate {
        match self.0 & 3 {
            0 => Gate::Shut,
            1 => Gate::Probe,
            _ => Gate::Open,
        }
    }

    fn followed_by(self, gate: Gate) -> Setting {
        Setting((self.0 & !3).wrapping_add(4) | bits(gate))
    }
}

impl GateCell {
    pub(crate) fn new(gate: Gate) -> GateCell {
        GateCell(AtomicU32::new(bits(gate)))
    }

    pub(crate) fn read(&self) -> Setting {
        Setting(self.0.load(Ordering::Acquire))
    }

    pub(crate) fn set(&self, gate: Gate) {
        let next = |now| Some(Setting(now).followed_by(gate).0);
        // The closure never declines, so there is no failure to look at.
        let _ = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, next);
    }

    /// Shuts the gate if nobody has set it since `seen`.
    pub(crate) fn shut(&self, seen: Setting) {
        let shut = seen.followed_by(Gate::Shut).0;
        let _ = self.0.compare_exchange(seen.0, shut, Ordering::AcqRel, Ordering::Acquire);
    }
}

const fn bits(gate: Gate) -> u32 {
    match gate {
        Gate::Shut => 0,
        Gate::Probe => 1,
        Gate::Open => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_shuts_the_gate() {
        let cell = GateCell::new(Gate::Probe);
        cell.shut(cell.read());
        assert_eq!(cell.read().gate(), Gate::Shut);
    }

    #[test]
    fn a_gate_set_in_between_is_kept() {
        for gate in [Gate::Open, Gate::Probe, Gate::Shut] {
            let cell = GateCell::new(Gate::Probe);
            let seen = cell.read();
            cell.set(gate);
            cell.shut(seen);
            assert_eq!(cell.read().gate(), gate);
        }
    }
}
