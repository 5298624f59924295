//! Which edge a viewer is sent to.

/// An edge that could serve a viewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Candidate<'a> {
    /// Its name.
    pub(crate) edge: &'a str,
    /// How long a prefix of the viewer's address its `serves` names, in bits; none if it names no
    /// such network.
    pub(crate) nearness: Option<u8>,
    /// Whether it relays this stream already.
    pub(crate) relays_it: bool,
    /// How many relays it has.
    pub(crate) relays: usize,
}

/// Puts the candidates in order, the best first: the one nearest to the viewer, else one that
/// relays the stream already, else the one with the fewest relays; the catalogue's order breaks
/// ties.
pub(crate) fn rank(candidates: &mut [Candidate<'_>]) {
    candidates.sort_by_key(|candidate| {
        let nearness = candidate.nearness.map_or(0, |bits| u16::from(bits) + 1);
        (std::cmp::Reverse(nearness), !candidate.relays_it, candidate.relays)
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn best(mut candidates: Vec<Candidate<'static>>) -> &'static str {
        rank(&mut candidates);
        candidates[0].edge
    }

    fn edge(edge: &'static str) -> Candidate<'static> {
        Candidate { edge, nearness: None, relays_it: false, relays: 0 }
    }

    #[test]
    fn nearness_comes_first_then_a_running_relay_then_the_load() {
        let near = Candidate { nearness: Some(24), relays: 9, ..edge("near") };
        let nearer = Candidate { nearness: Some(28), relays: 9, ..edge("nearer") };
        let running = Candidate { relays_it: true, relays: 5, ..edge("running") };
        let idle = Candidate { relays: 1, ..edge("idle") };
        assert_eq!(best(vec![idle, running, near, nearer]), "nearer");
        assert_eq!(best(vec![idle, running, near]), "near");
        assert_eq!(best(vec![idle, running]), "running");
        assert_eq!(best(vec![Candidate { relays: 2, ..edge("busy") }, idle]), "idle");
        assert_eq!(best(vec![edge("first"), edge("second")]), "first");
    }
}
