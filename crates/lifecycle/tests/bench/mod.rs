//! A lifecycle with a virtual clock, for tests of single stories.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use lifecycle::{Input, Lifecycle, Output};
use model::{CloseReason, FlowKind, Gate, Rules, State};

pub(crate) const REFUSED: Input = Input::Refused { sequence: None };
pub(crate) const PROBED: Input = Input::Probed { sequence: None };
pub(crate) const EDGE: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7));
pub(crate) const VIDEO: usize = 0;
pub(crate) const VIDEO_RTCP: usize = 1;
pub(crate) const AUDIO: usize = 2;
pub(crate) const AUDIO_RTCP: usize = 3;
pub(crate) const FLOWS: [FlowKind; 4] =
    [FlowKind::Rtp, FlowKind::Rtcp, FlowKind::Rtp, FlowKind::Rtcp];

pub(crate) struct Bench {
    pub(crate) life: Lifecycle,
    pub(crate) now: Instant,
    /// The counters of each flow of relay 1: received and sent.
    totals: [(u64, u64); 4],
    /// The media that the source sends, as their RTP flows.
    pub(crate) sources: Vec<usize>,
    pub(crate) log: Vec<Output>,
}

impl Bench {
    /// Relay 1 with video and audio, just started.
    pub(crate) fn start(rules: Rules) -> Self {
        let now = Instant::now();
        let mut life = Lifecycle::new();
        life.start(1, EDGE, &FLOWS, rules, None, now);
        let sources = vec![VIDEO, AUDIO];
        let mut bench = Self { life, now, totals: [(0, 0); 4], sources, log: Vec::new() };
        bench.settle();
        bench
    }

    pub(crate) fn settle(&mut self) {
        self.life.poll(self.now);
        self.log.extend(self.life.take_outputs());
        let wake = self.life.next_wake();
        assert!(wake.is_none_or(|wake| wake > self.now), "a wake that poll did not serve");
        self.life.poll(self.now);
        assert_eq!(self.life.take_outputs(), [], "to poll twice is no different from once");
    }

    pub(crate) fn see(&mut self, flow: usize, seen: Input) {
        self.life.observe(1, flow, seen, self.now);
        self.settle();
    }

    pub(crate) fn refuse(&mut self, flows: &[usize]) {
        for flow in flows {
            self.see(*flow, REFUSED);
        }
    }

    /// Lets `seconds` pass, with traffic observed at the end of each.
    pub(crate) fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds {
            let end = self.now + Duration::from_secs(1);
            while let Some(wake) = self.life.next_wake().filter(|wake| *wake <= end) {
                self.now = wake;
                self.settle();
            }
            self.now = end;
            let gates = self.life.gates(1);
            for (flow, totals) in self.totals.iter_mut().enumerate() {
                if self.sources.contains(&flow) {
                    let open = gates.get(flow) == Some(&Gate::Open);
                    *totals = (totals.0 + 50, totals.1 + if open { 50 } else { 0 });
                }
                let (received, sent) = *totals;
                self.life.observe(1, flow, Input::Traffic { received, sent }, self.now);
            }
            self.settle();
        }
    }

    /// Lets time pass until a flow has its turn, and sends its probe.
    pub(crate) fn probe(&mut self) -> usize {
        loop {
            if let Some(flow) = self.life.gates(1).iter().position(|gate| *gate == Gate::Probe) {
                self.see(flow, PROBED);
                return flow;
            }
            self.now = self.life.next_wake().expect("a probe is due");
            self.settle();
        }
    }

    /// Lets time pass until the last probe counts as accepted.
    pub(crate) fn silence(&mut self) {
        self.now = self.life.next_wake().expect("an answer is awaited");
        self.settle();
    }

    pub(crate) fn state(&self) -> Option<State> {
        self.life.state(1)
    }

    pub(crate) fn gates(&self) -> Vec<Gate> {
        self.life.gates(1)
    }

    pub(crate) fn closed(&self) -> Option<CloseReason> {
        self.log.iter().find_map(|output| match output {
            Output::Closed { reason, .. } => Some(*reason),
            _ => None,
        })
    }

    /// A relay whose viewer watched for a while.
    pub(crate) fn live(rules: Rules) -> Self {
        let mut bench = Self::start(rules);
        bench.pass(5);
        assert_eq!(bench.state(), Some(State::Live));
        bench
    }

    /// A relay whose viewer left: the edge refuses both media.
    pub(crate) fn suspect(rules: Rules) -> Self {
        let mut bench = Self::live(rules);
        bench.refuse(&[VIDEO, AUDIO]);
        assert_eq!(bench.state(), Some(State::Suspect));
        bench
    }
}
