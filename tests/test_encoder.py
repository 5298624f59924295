"""Odd encoders: what they send reaches the group, DSS1 and the edge."""

import struct
from pathlib import Path

from lab.broadcast import PORT, RATE, Broadcast
from lab.capture import Capture
from lab.replica import COPY, GROUP, ORIGIN, REPLICA, TWO_MEDIA, replica, wait_for_replica
from lab.rtp import gaps, numbers
from lab.udp_edge import UdpEdge

# Darwin's ports, the same at DSS1 and the edge.
DSS = 6970

ENCODERS = Path(__file__).parent / "lab" / "duplicate_encoders.py"


def rtp(ssrc, number, size=100):
    """An RTP packet of zeros."""
    return struct.pack("!BBHII", 0x80, 96, number, 0, ssrc) + bytes(size)


def sender_report(ssrc):
    """An RTCP packet (RFC 3550, 6.4.1)."""
    return struct.pack("!BBHI5I", 0x80, 200, 6, ssrc, 1, 2, 3, 4, 5)


RECEIVER_REPORT = struct.pack("!BBHI", 0x80, 201, 1, 9)
GOODBYE = struct.pack("!BBHI", 0x81, 203, 1, 9)

# Anybody may send such datagrams to an open port.
ODD = [
    b"",
    b"\x80",
    b"hello, is anybody there?",
    bytes(12),
    b"\xff" * 1472,
    rtp(1, 1, 0),
    # Its header promises fifteen contributing sources, an extension and padding.
    b"\xbf" + rtp(1, 2)[1:14],
    # STUN and DTLS.
    struct.pack("!HHI", 1, 0, 0x2112A442) + bytes(12),
    b"\x16\xfe\xfd" + bytes(30),
    b"\x47" * 188,
    RECEIVER_REPORT,
    sender_report(5),
]


def between(packets):
    """The packets between the two marks."""
    return packets[packets.index(b"begin") + 1 : packets.index(b"end")]


def marked(capture, port, mark):
    """Waits until a mark has come to a port."""
    capture.wait_for(lambda packets: any(p.target_port == port and p.payload == mark for p in packets))


def test_odd_datagrams_and_early_rtcp_reach_every_output_unchanged(light_testbed):
    testbed = light_testbed(to=ORIGIN, files={"s01.toml": f"{REPLICA}dss = [{DSS}]\n"})
    dss = UdpEdge(testbed["origin"])
    dss.open(DSS)
    testbed.watch()
    testbed.broadcast.tell("pause")
    arriving = Capture(testbed["origin"], "studio", f"udp and dst host {ORIGIN}")
    leaving = Capture(testbed["origin"], "studio", f"udp and dst host {GROUP}")

    def send(port, datagram):
        testbed.broadcast.tell("raw", port, datagram.hex())

    send(PORT, b"begin")
    send(PORT + 1, b"begin")
    # A new stream begins with RTCP, and not only with sender reports.
    testbed.broadcast.tell("restart")
    for report in (RECEIVER_REPORT, sender_report(1), GOODBYE, b"odd", sender_report(2) + GOODBYE):
        send(PORT + 1, report)
    for datagram in ODD:
        send(PORT, datagram)
    testbed.broadcast.tell("resume")
    testbed.wait_for_packets(RATE)
    testbed.broadcast.tell("pause")
    for port in (PORT, PORT + 1):
        send(port, b"end")
        marked(arriving, port, b"end")
        marked(leaving, COPY + port - PORT, b"end")
    testbed.daemon.wait_until(lambda: b"end" in dss.received(DSS), "DSS1 should get the end")
    testbed.daemon.wait_until(lambda: b"end" in testbed.edge.received(testbed.ports[0]), "and the edge")
    arriving.stop()
    leaving.stop()

    came, reports = between(arriving.payloads(PORT)), between(arriving.payloads(PORT + 1))
    assert came[: len(ODD)] == ODD and len(came) > len(ODD) + RATE / 2
    assert between(leaving.payloads(COPY)) == came
    assert between(leaving.payloads(COPY + 1)) == reports
    assert between(dss.received(DSS)) == came
    assert between(testbed.edge.received(testbed.ports[0])) == came
    # A streaming server gets only RTCP that begins with a sender report.
    passing = [report for report in reports if report[1:2] == b"\xc8"]
    assert passing[:2] == [sender_report(1), sender_report(2) + GOODBYE]
    for server in (dss.received(DSS + 1), testbed.edge.received(testbed.ports[0] + 1)):
        assert server[-len(passing) :] == passing
    assert testbed.show()["state"] == "live"


def test_a_relay_and_a_replica_follow_an_encoder_that_restarts(light_testbed):
    testbed = light_testbed(to=ORIGIN, files={"s01.toml": REPLICA})
    testbed.watch()
    leaving = Capture(testbed["origin"], "studio", f"udp and dst host {GROUP}")
    testbed.wait_for_packets(RATE)
    testbed.broadcast.tell("restart")
    testbed.wait_for_packets(RATE)
    # Another process has its own port, SSRC and sequence.
    testbed.broadcast.program.stop()
    testbed.broadcast = Broadcast(testbed["encoder"], to=ORIGIN)
    testbed.wait_for_packets(2 * RATE)
    at_edge = testbed.edge.received(testbed.ports[0])
    leaving.wait_for(lambda packets: sum(p.payload == at_edge[-1] for p in packets))
    leaving.stop()
    for packets in (at_edge, leaving.payloads(COPY)):
        senders = list(dict.fromkeys(packet[8:12] for packet in packets if packet[1] == 96))
        assert len(senders) == 3
        for sender in senders:
            assert gaps([packet for packet in packets if packet[8:12] == sender]) == 0
    relay = testbed.show()
    assert relay["state"] == "live" and relay["flows"][0]["ssrc_changes"] == 2
    assert relay["flows"][0]["returned"] == 0
    assert replica(testbed)["state"] == "running" and not testbed.daemon.program.said("come back")


def test_either_of_two_identical_encoders_may_stop(light_testbed):
    testbed = light_testbed(to=ORIGIN, files={"s01.toml": REPLICA})
    testbed.broadcast.tell("pause")
    testbed["encoder"].run(["ip", "address", "add", "10.9.0.3/24", "dev", "eth0"])
    script = testbed["encoder"].install(ENCODERS, "/run/duplicate_encoders.py")
    twins = testbed["encoder"].start("twins", ["/usr/bin/python3", script, ORIGIN, str(PORT), "10.9.0.2", "10.9.0.3"])
    testbed.edge.open(testbed.ports[0])
    testbed.daemon.ask("start", "s01")
    for sending in ("0 1", "1", "1 0", "0"):
        twins.type(f"{sending}\n")
        testbed.wait_for_packets(RATE)
        testbed.wait_for(state="live")
    packets = [packet for packet in testbed.edge.received(testbed.ports[0]) if packet[8:12] == struct.pack("!I", 7)]
    sent = numbers(packets)
    assert list(dict.fromkeys(sent)) == list(range(sent[0], sent[-1] + 1)), "none is missing"
    assert len(sent) - len(set(sent)) < 10, "and each is sent once, but for the first that are compared"
    assert "second encoder" in testbed.daemon.program.wait_for("come back")


def wait_for_group(testbed, interface, which):
    """Waits until packets that match the filter `which` leave by an interface."""
    capture = Capture(testbed["origin"], interface, f"udp and {which}")
    capture.wait_for(lambda packets: len(packets) >= RATE // 5)
    capture.stop()


def test_a_reload_moves_a_running_replica(light_testbed):
    testbed = light_testbed(to=ORIGIN, files={"s01.toml": REPLICA})
    testbed.watch()
    began = testbed.show()["started"]
    for text, interface, which in [
        (REPLICA, "studio", f"dst host {GROUP} and ip[8] = 1"),
        (f"{REPLICA}ttl = 9\n", "studio", f"dst host {GROUP} and ip[8] = 9"),
        (REPLICA.replace("studio", "eth0"), "eth0", f"dst host {GROUP} and ip[8] = 1"),
        (REPLICA.replace(GROUP, "239.255.1.3"), "studio", "dst host 239.255.1.3"),
        (REPLICA.replace(str(COPY), "7104"), "studio", f"dst host {GROUP} and dst port 7104"),
    ]:
        testbed.daemon.add_file("s01.toml", text)
        testbed.daemon.run("reload")
        wait_for_group(testbed, interface, which)
        wait_for_replica(testbed, "running")
        # Nothing goes to the old address.
        captures = {name: Capture(testbed["origin"], name, "dst net 239.255.0.0/16") for name in ("studio", "eth0")}
        testbed.wait_while_sending(RATE // 2)
        for capture in captures.values():
            capture.stop()
        host, _, port = replica(testbed)["to"][0].partition(":")
        to = {(packet.target, packet.target_port) for packet in captures.pop(interface).packets}
        assert (host, int(port)) in to and to <= {(host, int(port)), (host, int(port) + 1)}
        (other,) = captures.values()
        assert other.packets == []
    # The relay did not stop.
    assert testbed.show()["started"] == began
    assert gaps(testbed.edge.received(testbed.ports[0])) == 0


def test_a_replica_on_demand_runs_from_the_first_relay_to_the_last(full_testbed):
    settings = TWO_MEDIA + 'run = "on-demand"\n'
    testbed = full_testbed(to=ORIGIN, edges=("dss2", "dss3"), files={"news.toml": settings})
    assert replica(testbed, "news")["state"] == "idle"
    testbed.daemon.ask("start", "news", "--edge", "dss2")
    wait_for_replica(testbed, "running", "news")
    testbed.daemon.ask("start", "news", "--edge", "dss3")
    testbed.daemon.run("stop", "news/dss2")
    wait_for_group(testbed, "studio", f"dst host {GROUP} and dst port {COPY}")
    assert replica(testbed, "news")["state"] == "running"
    testbed.daemon.run("stop", "news/dss3")
    assert replica(testbed, "news")["state"] == "idle"


# The addresses for IPv6.
ORIGIN6, ENCODER6, GROUP6 = "2001:db8:9::1", "2001:db8:9::2", "ff15::2"

_LISTENER = f"""
import socket, struct
air = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
air.bind(("{GROUP6}", {COPY}))
index = socket.if_nametoindex("eth0")
group = socket.inet_pton(socket.AF_INET6, "{GROUP6}") + struct.pack("@I", index)
air.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group)
print("ready", flush=True)
while True:
    print(air.recv(65536).hex(), flush=True)
"""


def test_an_encoder_may_send_over_ipv6(light_testbed):
    testbed = light_testbed()
    testbed["origin"].run(["ip", "address", "add", f"{ORIGIN6}/64", "dev", "studio", "nodad"])
    testbed["encoder"].run(["ip", "address", "add", f"{ENCODER6}/64", "dev", "eth0", "nodad"])
    media = "m=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n"
    testbed.daemon.add_file("six.sdp", f"v=0\no=- 1 1 IN IP6 {ENCODER6}\ns=-\nc=IN IP6 {ORIGIN6}\nt=0 0\n{media}")
    port = testbed.ports[0] + 10
    testbed.daemon.add_file("six.dss2.sdp", f"v=0\nc=IN IP4 {testbed.edge.address}\n{media.replace('5004', str(port))}")
    testbed.daemon.add_file("six.toml", REPLICA.replace(GROUP, GROUP6))
    testbed.daemon.run("reload")
    listener = testbed["encoder"].start("listener", ["/usr/bin/python3", "-c", _LISTENER])
    listener.wait_for("ready")
    testbed.edge.open(port)
    testbed.daemon.ask("start", "six")
    command = ["ffmpeg", "-hide_banner", "-nostdin", "-v", "error", "-re", "-f", "lavfi"]
    command += ["-i", "testsrc2=size=320x240:rate=25", "-c:v", "libx264", "-preset", "ultrafast"]
    command += ["-tune", "zerolatency", "-g", "12", "-b:v", "300k", "-threads", "1", "-f", "rtp"]
    testbed["encoder"].start("ffmpeg", [*command, f"rtp://[{ORIGIN6}]:5004?pkt_size=1200"])
    testbed.wait_for_packets(100, port)
    listener.wait_for("^80", count=100)
    at_edge = testbed.edge.received(port)
    at_group = [bytes.fromhex(line) for line in listener.said("^80")]
    assert gaps(at_edge) == 0 and gaps(at_group) == 0
    start = at_edge.index(at_group[0])
    both = min(len(at_group), len(at_edge) - start)
    assert both >= 50 and at_group[:both] == at_edge[start : start + both]
    told = testbed.daemon.ask("scan", "--config", testbed.daemon.config, "six", "--for", "2s")
    (media,) = told["streams"][0]["media"]
    assert media["verdict"] == "active" and media["senders"][0]["address"].startswith(f"[{ENCODER6}]")
