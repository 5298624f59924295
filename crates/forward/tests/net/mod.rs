//! A network namespace for a test, with an encoder and an edge.
#![allow(dead_code, reason = "each test file uses its part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use forward::{Flow, FlowEvent, Media, Notice, Pass, Path, Plane, Settings, Source};
use model::Gate;
use socket2::SockRef;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// Long enough for the slowest machine; reached only by a test that fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Runs the body in a network namespace of its own, where `lo` is up and `air0` carries multicast
/// between sockets of this host. The test binary runs itself there, for the test of this name.
/// Without root it needs a user namespace.
pub(crate) fn alone(test: &str, body: impl FnOnce()) {
    if std::env::var_os("FORWARD_TEST_ALONE").is_some() {
        run("ip link set lo up");
        add_air();
        await_local(&["2001:db8::1", "2001:db8::8", "2001:db8::9"]);
        while encoder_at("2001:db8::1").send_to(b"", "[ff15::f]:9").is_err() {}
        return body();
    }
    let root = nix::unistd::geteuid().is_root();
    let done = Command::new("unshare")
        .arg(if root { "-n" } else { "-rn" })
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env("FORWARD_TEST_ALONE", "1")
        .output()
        .unwrap();
    let out = String::from_utf8_lossy(&done.stdout);
    let err = String::from_utf8_lossy(&done.stderr);
    assert!(out.contains("1 passed"), "{test} failed in its namespace:\n{out}{err}");
}

/// Adds the interface that carries multicast. (A loopback interface carries none of IPv6.)
pub(crate) fn add_air() {
    run("ip link add air0 mtu 65535 type veth peer name air1 mtu 65535");
    for address in ["192.0.2.1/24", "192.0.2.8/24", "192.0.2.9/24"] {
        run(&format!("ip addr add {address} dev air0"));
    }
    for address in ["2001:db8::1/64", "2001:db8::8/64", "2001:db8::9/64"] {
        run(&format!("ip addr add {address} dev air0 nodad"));
    }
    run("ip link set air1 up");
    run("ip link set air0 up");
}

/// Waits until these IPv6 addresses are this host's: their routes come a moment after the link.
fn await_local(addresses: &[&str]) {
    for address in addresses {
        while !run(&format!("ip -6 route show table local exact {address}")).starts_with("local") {}
    }
}

/// Runs a command, which must succeed, and returns what it prints.
pub(crate) fn run(command: &str) -> String {
    let mut words = command.split_whitespace();
    let done = Command::new(words.next().unwrap()).args(words).output().unwrap();
    let err = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{command}: {err}");
    String::from_utf8_lossy(&done.stdout).into_owned()
}

/// A plane and its notices.
pub(crate) struct Relay {
    pub(crate) plane: Plane,
    notices: Receiver<Notice>,
}

impl Relay {
    pub(crate) fn start() -> Relay {
        Relay::start_with(Settings { workers: 1, ..Settings::default() })
    }

    pub(crate) fn start_with(settings: Settings) -> Relay {
        let (sender, notices) = channel();
        let plane = Plane::start(settings, move |notice| drop(sender.send(notice))).unwrap();
        Relay { plane, notices }
    }

    /// One flow of all packets from a source to a target, with an open gate.
    pub(crate) fn flow(&self, source: &Source, target: SocketAddr) -> Flow {
        self.flow_of(source, target, Pass::Everything, Gate::Open)
    }

    pub(crate) fn flow_of(
        &self,
        source: &Source,
        target: SocketAddr,
        pass: Pass,
        gate: Gate,
    ) -> Flow {
        let rtp = Path { source: source.clone(), target, pass, multicast: None };
        let mut flows = self.plane.open(7, &[Media { rtp, rtcp: None }], gate).unwrap();
        flows.remove(0)
    }

    /// The events that nobody waited for.
    pub(crate) fn events(&self) -> Vec<FlowEvent> {
        self.notices.try_iter().flat_map(Notice::read).collect()
    }

    /// Waits for such an event of relay 7's only flow.
    pub(crate) fn wait_for(&self, is_awaited: impl Fn(FlowEvent) -> bool) {
        loop {
            let notice = self.notices.recv_timeout(PATIENCE).expect("a notice");
            assert_eq!((notice.relay, notice.flow), (7, 0));
            if notice.read().any(&is_awaited) {
                return;
            }
        }
    }
}

/// A group on `air0`.
pub(crate) fn group(address: &str, port: u16) -> Source {
    let interface = Some("air0".to_owned());
    Source {
        address: address.parse().unwrap(),
        port,
        senders: Vec::new(),
        peer: None,
        interface,
        named: Default::default(),
    }
}

/// A socket that sends multicast over `air0`.
pub(crate) fn encoder() -> UdpSocket {
    encoder_at("192.0.2.1")
}

/// The same, from one of `air0`'s addresses.
pub(crate) fn encoder_at(address: &str) -> UdpSocket {
    let socket = UdpSocket::bind((address, 0)).unwrap();
    match address.parse().unwrap() {
        IpAddr::V4(address) => SockRef::from(&socket).set_multicast_if_v4(&address).unwrap(),
        IpAddr::V6(_) => {
            let air = nix::net::if_::if_nametoindex("air0").unwrap();
            SockRef::from(&socket).set_multicast_if_v6(air).unwrap();
        }
    }
    socket
}

/// A socket as an edge has it.
pub(crate) fn edge() -> UdpSocket {
    edge_at((Ipv4Addr::LOCALHOST, 0).into())
}

pub(crate) fn edge_at(address: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind(address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    SockRef::from(&socket).set_recv_buffer_size(8 << 20).unwrap();
    socket
}

/// An address with a closed port.
pub(crate) fn closed_port() -> SocketAddr {
    edge().local_addr().unwrap()
}

/// The next datagram that an edge gets.
pub(crate) fn receive(edge: &UdpSocket) -> Vec<u8> {
    let mut buffer = vec![0; 65_536];
    let length = edge.recv(&mut buffer).expect("a datagram");
    buffer.truncate(length);
    buffer
}

/// An RTP packet of this sequence number and size.
pub(crate) fn rtp(sequence: u16, size: usize) -> Vec<u8> {
    let mut packet = vec![0x80, 96];
    packet.extend(sequence.to_be_bytes());
    packet.extend([0, 0, 0, 0, 0, 0, 0, 7]);
    packet.extend((12..size).map(|at| u8::try_from(at % 251).unwrap()));
    packet
}

/// An edge on another host, behind a link: 198.51.100.1 here and .2 there, or 2001:db8:1::1 and
/// ::2. Its end of the link is in a namespace that lives as long as its sockets.
pub(crate) fn edge_behind(link: &str, address: &str) -> UdpSocket {
    edge_behind_with(link, address, &[])
}

/// The same, after these commands in the edge's namespace.
pub(crate) fn edge_behind_with(
    link: &str,
    address: &str,
    commands: &'static [&'static str],
) -> UdpSocket {
    run(&format!("ip link add out0 {link} type veth peer name out1 {link}"));
    run("ip addr add 198.51.100.1/24 dev out0");
    run("ip addr add 2001:db8:1::1/64 dev out0 nodad");
    let (there, threads) = channel();
    let (arrived, link) = channel();
    let host = address.to_owned();
    let edge = std::thread::spawn(move || {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
        there.send(nix::unistd::gettid()).unwrap();
        link.recv().unwrap();
        run("ip addr add 198.51.100.2/24 dev out1");
        run("ip addr add 2001:db8:1::2/64 dev out1 nodad");
        run("ip link set out1 up");
        await_local(&["2001:db8:1::2"]);
        commands.iter().for_each(|command| drop(run(command)));
        edge_at((host.parse::<IpAddr>().unwrap(), 0).into())
    });
    run(&format!("ip link set out1 netns {}", threads.recv().unwrap()));
    run("ip link set out0 up");
    arrived.send(()).unwrap();
    await_local(&["2001:db8:1::1"]);
    edge.join().unwrap()
}
