use super::*;
use crate::icmp::QUOTE;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::sync::Mutex;

/// A socket whose next calls fail as scripted (errno; 0 is success), and then succeed.
#[derive(Default)]
struct Script {
    errnos: RefCell<VecDeque<i32>>,
    sent: RefCell<Vec<Vec<u8>>>,
    runs: Cell<usize>,
    errors: RefCell<VecDeque<IcmpError>>,
}

impl Script {
    fn of(errnos: &[i32]) -> Script {
        Script { errnos: RefCell::new(errnos.iter().copied().collect()), ..Script::default() }
    }

    fn take(&self, datagrams: &[IoSlice<'_>]) -> io::Result<usize> {
        match self.errnos.borrow_mut().pop_front() {
            None | Some(0) => {
                self.sent.borrow_mut().extend(datagrams.iter().map(|datagram| datagram.to_vec()));
                Ok(0)
            }
            Some(errno) => Err(io::Error::from_raw_os_error(errno)),
        }
    }
}

impl OutputSocket for Script {
    fn send_one(&self, datagram: &[u8]) -> io::Result<usize> {
        self.take(&[IoSlice::new(datagram)])
    }

    fn send_run(&self, run: &[IoSlice<'_>]) -> io::Result<usize> {
        self.runs.set(self.runs.get() + 1);
        self.take(run)
    }

    fn receive(&self, _: &mut [u8]) -> io::Result<usize> {
        self.take(&[])
    }

    fn next_error(&self, _: &mut ErrorBuffer) -> Option<Option<IcmpError>> {
        self.errors.borrow_mut().pop_front().map(Some)
    }

    fn clear_error(&self) {}
}

/// An output over a script, and its events.
struct Case {
    output: Output<Script>,
    seen: Arc<Mutex<Vec<FlowEvent>>>,
    now: u64,
}

impl Case {
    fn new(gate: Gate, errnos: &[i32]) -> Case {
        let cell = Arc::new(FlowCell::new(1, 0, gate));
        let target: SocketAddr = "198.51.100.7:5004".parse().unwrap();
        let (script, named) = (Script::of(errnos), PayloadTypes::default());
        let evidence = Evidence::new(target.ip(), named, Arc::default());
        let output = Output::new(0, script, cell, target, Pass::Everything, named, evidence);
        Case { output, seen: Arc::default(), now: 1 }
    }

    fn notify(&self) -> Notify {
        let seen = Arc::clone(&self.seen);
        Arc::new(move |notice| seen.lock().unwrap().extend(notice.read()))
    }

    fn forward(&mut self, datagrams: &[Vec<u8>]) {
        let notify = self.notify();
        self.output.forward(datagrams.iter().map(Vec::as_slice), self.now, &notify);
    }

    fn read_errors(&self, errors: &[IcmpError]) {
        self.output.socket.errors.borrow_mut().extend(errors);
        self.output.read_errors(&mut ErrorBuffer::new(), self.now, &self.notify());
    }

    fn sent(&self) -> Vec<Vec<u8>> {
        self.output.socket.sent.borrow().clone()
    }

    fn runs(&self) -> usize {
        self.output.socket.runs.get()
    }

    /// The counters: sent, refused and lost.
    fn counted(&self) -> (u64, u64, u64) {
        let cell = &self.output.cell;
        (cell.packets.get(), cell.refusals.get(), cell.lost.get())
    }

    fn events(&self) -> Vec<FlowEvent> {
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

/// RTP packets of 1200 bytes.
fn datagrams(count: u8) -> Vec<Vec<u8>> {
    let header = |number| [0x80, 96, 0, number, 0, 0, 0, 0, 0, 0, 0, 7];
    (0..count).map(|number| [&header(number)[..], &[number; 1188]].concat()).collect()
}

/// The edge's refusal of a packet.
fn refusal(datagram: &[u8]) -> IcmpError {
    let quote: [u8; QUOTE] = *datagram.first_chunk().unwrap();
    let offender = Some("198.51.100.7".parse().unwrap());
    IcmpError { v6: false, kind: 3, code: 3, errno: 111, offender, quote: Some(quote) }
}

#[test]
fn an_interface_without_batches_gets_single_packets_for_a_minute() {
    for errno in [libc::EIO, libc::EINVAL] {
        let mut case = Case::new(Gate::Open, &[errno]);
        case.forward(&datagrams(5));
        assert_eq!(case.sent(), datagrams(5));
        case.now += RETRY_RUNS - 1;
        case.forward(&datagrams(3));
        assert_eq!(case.runs(), 1, "no batch is tried again yet");
        case.now += 1;
        case.forward(&datagrams(3));
        assert_eq!((case.runs(), case.counted()), (2, (11, 0, 0)));
    }
}

#[test]
fn a_batch_that_is_too_large_affects_only_batches_of_its_size() {
    let mut case = Case::new(Gate::Open, &[libc::EMSGSIZE; TRIES]);
    let small = vec![vec![1; 800]; 5];
    case.forward(&datagrams(5));
    assert_eq!((case.sent(), case.runs()), (datagrams(5), TRIES));
    case.forward(&small);
    case.forward(&datagrams(3));
    assert_eq!(case.runs(), TRIES + 1, "the small ones go out in one call");
    case.now += RETRY_RUNS;
    case.forward(&datagrams(3));
    assert_eq!((case.runs(), case.counted()), (TRIES + 2, (16, 0, 0)));
}

#[test]
fn a_pending_error_changes_nothing() {
    let errnos =
        [libc::ECONNREFUSED, 0, libc::EHOSTUNREACH, libc::EMSGSIZE, libc::EACCES, libc::EPROTO];
    let mut case = Case::new(Gate::Open, &errnos);
    case.forward(&datagrams(5));
    case.forward(&datagrams(5));
    case.forward(&datagrams(1));
    assert_eq!(case.sent(), [datagrams(5), datagrams(5), datagrams(1)].concat());
    assert_eq!((case.counted(), case.events()), ((11, 0, 0), vec![]));
}

#[test]
fn a_missing_route_loses_packets_and_raises_an_event() {
    let mut case = Case::new(Gate::Open, &[libc::ENETUNREACH; TRIES + FEWER_TRIES]);
    case.forward(&datagrams(5));
    case.forward(&datagrams(2));
    case.forward(&datagrams(2));
    assert_eq!((case.sent(), case.counted()), (datagrams(2), (2, 0, 7)));
    let unreachable = FlowEvent::Unreachable { errno: libc::ENETUNREACH, offender: None };
    assert_eq!(case.events(), [unreachable; 2]);
}

#[test]
fn a_packet_that_this_host_blocks_is_lost_without_a_refusal() {
    for count in [1, 5] {
        let mut case = Case::new(Gate::Open, &[libc::EPERM]);
        case.forward(&datagrams(count));
        assert_eq!(case.counted(), (0, 0, u64::from(count)));
        let blocked = FlowEvent::Unreachable { errno: libc::EPERM, offender: None };
        assert_eq!(case.events(), [blocked]);
    }
}

#[test]
fn only_a_true_refusal_raises_an_event() {
    let mut case = Case::new(Gate::Open, &[]);
    case.forward(&datagrams(5));
    let sent = refusal(&datagrams(5)[3]);
    let stranger = Some("203.0.113.66".parse().unwrap());
    let firewall = IcmpError { code: 13, offender: stranger, ..sent };
    let forged = refusal(&datagrams(9)[8]);
    case.read_errors(&[sent, firewall, forged, IcmpError { offender: stranger, ..forged }]);
    let refused = FlowEvent::Refused { sequence: Some(3) };
    assert_eq!(case.events(), [refused, FlowEvent::Firewalled { offender: stranger }]);
    let cell = &case.output.cell;
    assert_eq!((cell.refusals.get(), cell.forged.get()), (1, 2));
    assert_eq!(cell.forger.take().map(|one| one.ip()), forged.offender);
}

#[test]
fn a_flood_of_errors_is_read_in_turns() {
    let case = Case::new(Gate::Open, &[]);
    case.read_errors(&[refusal(&datagrams(1)[0]); 100]);
    assert_eq!(case.output.cell.forged.get(), READ_BACK as u64);
}

#[test]
fn without_room_packets_are_lost_at_once() {
    for errno in [libc::EAGAIN, libc::ENOBUFS] {
        let mut case = Case::new(Gate::Open, &[errno]);
        case.forward(&datagrams(5));
        case.forward(&datagrams(2));
        assert_eq!(case.runs(), 2, "batches go on");
        assert_eq!(case.counted(), (2, 0, 5));
    }
}

#[test]
fn a_probe_is_one_packet() {
    let mut case = Case::new(Gate::Probe, &[libc::ECONNREFUSED]);
    case.forward(&datagrams(5));
    case.forward(&datagrams(5));
    assert_eq!(case.sent(), datagrams(1));
    assert_eq!(case.output.cell.gate.read().gate(), Gate::Shut);
    assert_eq!(case.events(), [FlowEvent::Probed { sequence: Some(0) }]);
}

#[test]
fn a_probe_that_failed_is_repeated_with_the_next_packet() {
    let mut case = Case::new(Gate::Probe, &[libc::EAGAIN]);
    case.forward(&datagrams(1));
    assert_eq!(case.output.cell.gate.read().gate(), Gate::Probe);
    case.forward(&datagrams(2));
    assert_eq!(case.sent(), datagrams(1));
    assert_eq!(case.events(), [FlowEvent::Probed { sequence: Some(0) }]);
}

#[test]
fn a_shut_gate_passes_nothing() {
    let mut case = Case::new(Gate::Shut, &[]);
    case.forward(&datagrams(5));
    assert_eq!((case.sent().len(), case.counted()), (0, (0, 0, 0)));
}

#[test]
fn each_filter_passes_its_packets() {
    let rtp = [0x80, 96, 0, 1];
    let mut sender_report = vec![0x80, 200, 0, 6];
    sender_report.resize(28, 0);
    let receiver_report = [0x80, 201, 0, 1, 0, 0, 0, 0];
    let all: [&[u8]; 3] = [&rtp, &sender_report, &receiver_report];
    let lets = |pass| all.map(|datagram| passes(pass, PayloadTypes::default(), datagram));
    assert_eq!(lets(Pass::Everything), [true, true, true]);
    assert_eq!(lets(Pass::SenderReports), [false, true, false]);
    assert_eq!(lets(Pass::Multiplexed), [true, true, false]);
    // The SDP names payload type 73, which looks like a receiver report with the marker set.
    assert!(passes(Pass::Multiplexed, PayloadTypes::from_iter([73]), &receiver_report));
}

#[test]
fn the_kernel_cuts_a_run_into_datagrams() {
    let edge = UdpSocket::bind("127.0.0.1:0").unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(edge.local_addr().unwrap()).unwrap();
    let mut run = datagrams(20);
    run.push(vec![99; 7]);
    let slices: Vec<_> = run.iter().map(|datagram| IoSlice::new(datagram)).collect();
    assert_eq!(socket.send_run(&slices).unwrap(), 20 * 1200 + 7);
    for datagram in run {
        let mut got = [0; 2000];
        let length = edge.recv(&mut got).unwrap();
        assert!(got[..length] == datagram);
    }
}
