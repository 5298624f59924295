//! Values that a worker and other threads share without a lock.

use model::Gate;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU32, AtomicU64, Ordering};

/// A number that one thread writes and any thread may read. Because there is one writer, adding is
/// a plain load and store.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, more: u64) {
        self.set(self.get().wrapping_add(more));
    }

    pub(crate) fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A flow's gate. Any thread may set it; the worker reads it once per batch.
///
/// The two low bits are the gate, the others count how often it was set: so the worker shuts
/// exactly the probe that it sent, and never one that was requested meanwhile.
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
        // The closure never returns None, so this cannot fail.
        let _ = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, next);
    }

    /// Shuts the gate unless it was set again since `seen`.
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

/// An address on its way from a worker to another thread. It holds one at a time: the worker stores
/// the next one only after the last one was taken, so that neither thread waits.
#[derive(Debug, Default)]
pub(crate) struct AddressCell {
    full: AtomicBool,
    high: AtomicU64,
    low: AtomicU64,
    port: AtomicU16,
}

impl AddressCell {
    pub(crate) fn put(&self, address: SocketAddr) {
        if self.full.load(Ordering::Acquire) {
            return;
        }
        let bits = match address.ip() {
            IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
            IpAddr::V6(address) => address.to_bits(),
        };
        let [high, low] = [bits >> 64, bits & u128::from(u64::MAX)].map(u64::try_from);
        self.high.store(high.unwrap_or(0), Ordering::Relaxed);
        self.low.store(low.unwrap_or(0), Ordering::Relaxed);
        self.port.store(address.port(), Ordering::Relaxed);
        self.full.store(true, Ordering::Release);
    }

    pub(crate) fn take(&self) -> Option<SocketAddr> {
        if !self.full.load(Ordering::Acquire) {
            return None;
        }
        let (high, low) = (self.high.load(Ordering::Relaxed), self.low.load(Ordering::Relaxed));
        let address = Ipv6Addr::from_bits(u128::from(high) << 64 | u128::from(low)).to_canonical();
        let address = SocketAddr::new(address, self.port.load(Ordering::Relaxed));
        self.full.store(false, Ordering::Release);
        Some(address)
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
    fn a_gate_that_was_set_meanwhile_stays() {
        for gate in [Gate::Open, Gate::Probe, Gate::Shut] {
            let cell = GateCell::new(Gate::Probe);
            let seen = cell.read();
            cell.set(gate);
            cell.shut(seen);
            assert_eq!(cell.read().gate(), gate);
        }
    }

    #[test]
    fn an_address_stays_until_it_is_taken() {
        let [first, second] =
            ["10.9.0.2:40000", "[2001:db8::7]:9"].map(|text| text.parse().unwrap());
        let cell = AddressCell::default();
        assert_eq!(cell.take(), None);
        cell.put(first);
        cell.put(second);
        assert_eq!(cell.take(), Some(first));
        assert_eq!(cell.take(), None);
        cell.put(second);
        assert_eq!(cell.take(), Some(second));
    }
}
