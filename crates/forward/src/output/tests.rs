use super::*;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::sync::Mutex;

/// A wire whose next calls fail as scripted (errno; 0 is success), and then succeed.
#[derive(Default)]
struct Script {
    errnos: RefCell<VecDeque<i32>>,
    sent: RefCell<Vec<Vec<u8>>>,
    runs: Cell<usize>,
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

    fn target(&self) -> String {
        "a script".to_owned()
    }
}

/// An output over a script, and what it tells.
struct Case {
    output: Output<Script>,
    seen: Arc<Mutex<Vec<FlowEvent>>>,
}

impl Case {
    fn new(gate: Gate, errnos: &[i32]) -> Case {
        let cell = Arc::new(FlowCell::new(1, 0, gate));
        let output =
            Output::new(0, Script::of(errnos), cell, Pass::Everything, PayloadTypes::default());
        Case { output, seen: Arc::default() }
    }

    fn forward(&mut self, datagrams: &[Vec<u8>]) {
        let seen = Arc::clone(&self.seen);
        let notify: Notify = Arc::new(move |notice| seen.lock().unwrap().extend(notice.read()));
        self.output.forward(datagrams.iter().map(Vec::as_slice), &notify);
    }

    fn sent(&self) -> Vec<Vec<u8>> {
        self.output.socket.sent.borrow().clone()
    }

    /// Sent, refused and lost, as the counters have it.
    fn counted(&self) -> (u64, u64, u64) {
        let cell = &self.output.cell;
        (cell.packets.get(), cell.refusals.get(), cell.lost.get())
    }
}

const REFUSED: FlowEvent = FlowEvent::Refused;

fn datagrams(count: u8) -> Vec<Vec<u8>> {
    (0..count).map(|number| vec![number; 1200]).collect()
}

#[test]
fn a_path_without_batches_gets_single_packets() {
    for errno in [libc::EIO, libc::EINVAL, libc::EMSGSIZE] {
        let mut case = Case::new(Gate::Open, &[errno]);
        case.forward(&datagrams(5));
        assert_eq!(case.sent(), datagrams(5));
        case.forward(&datagrams(3));
        assert_eq!(case.output.socket.runs.get(), 1, "no batch is tried again");
        assert_eq!(case.counted(), (8, 0, 0));
    }
}

#[test]
fn a_waiting_refusal_loses_no_batch() {
    let mut case = Case::new(Gate::Open, &[libc::ECONNREFUSED, 0, libc::EHOSTUNREACH]);
    case.forward(&datagrams(5));
    case.forward(&datagrams(5));
    assert_eq!(case.sent(), [datagrams(5), datagrams(5)].concat());
    assert_eq!(case.output.socket.runs.get(), 4);
    assert_eq!(case.counted(), (10, 2, 0));
    let unreachable = FlowEvent::Unreachable { errno: libc::EHOSTUNREACH };
    assert_eq!(*case.seen.lock().unwrap(), [REFUSED, unreachable]);
}

#[test]
fn a_waiting_refusal_loses_no_single_packet() {
    let script = [libc::EIO, 0, 0, libc::ECONNREFUSED, 0, 0];
    let mut case = Case::new(Gate::Open, &script);
    case.forward(&datagrams(4));
    assert_eq!(case.sent(), datagrams(4));
    assert_eq!(case.counted(), (4, 1, 0));
}

#[test]
fn a_batch_is_lost_after_several_refusals() {
    let mut case = Case::new(Gate::Open, &[libc::ENETUNREACH; TRIES]);
    case.forward(&datagrams(5));
    case.forward(&datagrams(2));
    assert_eq!(case.sent(), datagrams(2));
    assert_eq!(case.counted(), (2, TRIES as u64, 5));
}

#[test]
fn a_packet_that_this_host_blocks_is_lost_without_a_refusal() {
    for count in [1, 5] {
        let mut case = Case::new(Gate::Open, &[libc::EPERM]);
        case.forward(&datagrams(count));
        assert_eq!(case.counted(), (0, 0, u64::from(count)));
        assert_eq!(*case.seen.lock().unwrap(), [FlowEvent::Unreachable { errno: libc::EPERM }]);
    }
}

#[test]
fn without_room_packets_are_lost_at_once() {
    for errno in [libc::EAGAIN, libc::ENOBUFS] {
        let mut case = Case::new(Gate::Open, &[errno]);
        case.forward(&datagrams(5));
        case.forward(&datagrams(2));
        assert_eq!(case.output.socket.runs.get(), 2, "batches go on");
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
    assert_eq!(*case.seen.lock().unwrap(), [REFUSED, FlowEvent::Probed]);
}

#[test]
fn a_probe_that_failed_is_repeated_with_the_next_packet() {
    let mut case = Case::new(Gate::Probe, &[libc::EAGAIN]);
    case.forward(&datagrams(1));
    assert_eq!(case.output.cell.gate.read().gate(), Gate::Probe);
    case.forward(&datagrams(2));
    assert_eq!(case.sent(), datagrams(1));
    assert_eq!(*case.seen.lock().unwrap(), [FlowEvent::Probed]);
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
    let wire = UdpSocket::bind("127.0.0.1:0").unwrap();
    wire.connect(edge.local_addr().unwrap()).unwrap();
    let mut run = datagrams(20);
    run.push(vec![99; 7]);
    let slices: Vec<_> = run.iter().map(|datagram| IoSlice::new(datagram)).collect();
    assert_eq!(wire.send_run(&slices).unwrap(), 20 * 1200 + 7);
    for datagram in run {
        let mut got = [0; 2000];
        let length = edge.recv(&mut got).unwrap();
        assert!(got[..length] == datagram);
    }
}
