//! Remembers the marks of recent packets, by sequence number.

/// For how many milliseconds packets are remembered at least. If they come too fast for the places
/// that there are, the memory grows.
const SPAN: u64 = 2000;

/// The memory grows by this factor at most at once, since the cause may be a single burst.
const STEP: usize = 8;

/// The largest memory has a place for every sequence number: a second of half a gigabit.
pub(crate) const LARGEST: usize = 1 << 16;

/// The marks of recent packets. The default mark is none.
#[derive(Debug)]
pub(crate) struct Recent<M> {
    /// Indexed by the low bits of the sequence number.
    marks: Vec<M>,
    /// How many new packets came since `since`.
    fresh: usize,
    /// When this round of all places began, in coarse milliseconds.
    since: u64,
}

impl<M: Copy + Default + PartialEq> Recent<M> {
    /// A memory of this many packets at first, a power of two.
    pub(crate) fn new(places: usize) -> Recent<M> {
        Recent { marks: vec![M::default(); places], fresh: 0, since: 0 }
    }

    /// Forgets all packets and shrinks, without an allocation.
    pub(crate) fn clear(&mut self, places: usize, now: u64) {
        self.marks.clear();
        self.marks.resize(places, M::default());
        (self.fresh, self.since) = (0, now);
    }

    /// Whether this packet was remembered lately.
    pub(crate) fn holds(&self, sequence: u16, mark: M) -> bool {
        self.marks.get(self.place(sequence)) == Some(&mark)
    }

    /// Remembers a packet that came at `now`, in coarse milliseconds; false if it came before.
    pub(crate) fn remember(&mut self, sequence: u16, mark: M, now: u64) -> bool {
        let place = self.place(sequence);
        if std::mem::replace(&mut self.marks[place], mark) == mark {
            return false;
        }
        self.fresh += 1;
        if self.fresh == self.marks.len() {
            self.grow(sequence, now);
        }
        true
    }

    fn place(&self, sequence: u16) -> usize {
        usize::from(sequence) & (self.marks.len() - 1)
    }

    /// Grows if the last round took less than [`SPAN`].
    fn grow(&mut self, last: u16, now: u64) {
        let took = now.saturating_sub(self.since).max(1);
        let times = usize::try_from(SPAN.div_ceil(took)).unwrap_or(STEP).min(STEP);
        let old = self.marks.len();
        let places = (old * times.next_power_of_two()).min(LARGEST);
        if places > old {
            let mut marks = vec![M::default(); places];
            for number in (0..old).map(|ago| usize::from(last).wrapping_sub(ago)) {
                marks[number & (places - 1)] = self.marks[number & (old - 1)];
            }
            self.marks = marks;
        }
        (self.fresh, self.since) = (0, now);
    }

    /// How many packets there is room for.
    #[cfg(test)]
    pub(crate) fn places(&self) -> usize {
        self.marks.len()
    }
}
