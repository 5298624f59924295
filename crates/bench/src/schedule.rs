//! When the packets of each flow are due.

/// Evenly paced departures. At each departure some flows, in turn, send a frame: packets that
/// follow each other closely.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    /// The number of flows.
    pub(crate) flows: u64,
    /// Packets in a frame.
    pub(crate) frame: u64,
    /// Flows that send at the same departure.
    pub(crate) together: u64,
    /// Packets a second, of all flows together; 0 sends as fast as possible.
    pub(crate) rate: u64,
}

impl Schedule {
    /// The number of packets that leave at a departure.
    pub(crate) fn packets(&self) -> u64 {
        self.frame * self.together
    }

    /// When a departure is due, in nanoseconds since the first one.
    pub(crate) fn due(&self, departure: u64) -> u64 {
        if self.rate == 0 {
            return 0;
        }
        let due = u128::from(departure * self.packets()) * 1_000_000_000 / u128::from(self.rate);
        u64::try_from(due).unwrap_or(u64::MAX)
    }

    /// The flow of the packet in a `place` of a departure, and its number in that flow.
    pub(crate) fn packet(&self, departure: u64, place: u64) -> (u64, u64) {
        let turn = departure * self.together + place / self.frame;
        (turn % self.flows, turn / self.flows * self.frame + place % self.frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn departures_keep_the_rate() {
        let schedule = Schedule { flows: 200, frame: 8, together: 1, rate: 48_000 };
        assert_eq!(schedule.due(0), 0);
        assert_eq!(schedule.due(6000), 1_000_000_000);
        assert_eq!(schedule.due(1), 166_666);
        assert_eq!(Schedule { rate: 0, ..schedule }.due(6000), 0);
    }

    #[test]
    fn every_flow_has_its_turn_and_counts_its_packets() {
        let schedule = Schedule { flows: 5, frame: 3, together: 2, rate: 1 };
        let mut next = [0; 5];
        for departure in 0..50 {
            for place in 0..schedule.packets() {
                let (flow, number) = schedule.packet(departure, place);
                let next = &mut next[usize::try_from(flow).unwrap()];
                assert_eq!(number, *next);
                *next += 1;
            }
        }
        assert_eq!(next, [60; 5]);
    }
}
