//! A relay's life, and its flows.

use crate::word::words;

words! {
    /// Where a relay is in its life.
    pub enum State {
        /// It sends everything. The edge may refuse it: its ports open only when the player comes.
        Starting = "starting",
        /// It sends everything, except to flows that the edge refuses.
        Live = "live",
        /// The edge refuses every RTP flow. The relay sends only probes.
        Suspect = "suspect",
        /// It is over, for a [`CloseReason`].
        Closed = "closed",
    }
}

words! {
    /// Why a relay closed.
    pub enum CloseReason {
        /// The edge took the stream, and then refused it for good or reported that nobody watches.
        NoViewers = "no-viewers",
        /// The edge never stopped refusing: no consent there, or the player never came.
        NeverAccepted = "never-accepted",
        /// The edge took or may have taken the stream, and then could no longer be reached.
        EdgeUnreachable = "edge-unreachable",
        /// A firewall on the way to the edge rejects the packets.
        EdgeFirewalled = "edge-firewalled",
        /// Nothing arrived on any RTP flow for `source_silence`: the broadcast ended.
        SourceEnded = "source-ended",
        /// No start and no sign of a viewer came for as long as the lease runs.
        LeaseExpired = "lease-expired",
        /// An administrator stopped it, or the daemon stops.
        Stopped = "stopped",
        /// The catalogue no longer has the stream, the edge or its consent, or they changed.
        NotInCatalog = "not-in-catalog",
        /// The data plane could not carry it.
        Failed = "failed",
    }
}

words! {
    /// The packets that pass on a flow.
    pub enum Gate {
        /// Everything.
        Open = "open",
        /// The next packet, as a probe. Then the gate shuts by itself.
        Probe = "probe",
        /// Nothing.
        Shut = "shut",
    }
}

words! {
    /// RTP, or its control protocol (RFC 3550).
    pub enum FlowKind {
        /// The media itself. Its refusals decide about the relay.
        Rtp = "rtp",
        /// The reports about it. Whether the edge takes them decides nothing.
        Rtcp = "rtcp",
    }
}

words! {
    /// Whether the edge takes a flow, as far as that is known.
    pub enum Acceptance {
        /// There is no proof yet, or the edge can't be reached.
        Unknown = "unknown",
        /// The edge takes it. The proof is a report from the edge, or packets at full rate for
        /// `quiet` that could have been refused and were not.
        Accepted = "accepted",
        /// The edge refused it within `quiet`, and has not taken it since.
        Refused = "refused",
    }
}

/// An older daemon doesn't say.
impl Default for Acceptance {
    fn default() -> Self {
        Self::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_display_and_parsing_agree() {
        for reason in CloseReason::ALL {
            let json = serde_json::to_string(reason).unwrap();
            assert_eq!(json, format!("\"{reason}\""));
            assert_eq!(serde_json::from_str::<CloseReason>(&json).unwrap(), *reason);
            assert_eq!(reason.word().parse(), Ok(*reason));
        }
        assert!("whim".parse::<State>().is_err());
    }

    #[test]
    fn a_state_can_be_padded() {
        assert_eq!(format!("{:8}|", State::Live), "live    |");
    }
}
