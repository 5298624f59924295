"""What encoders get up to, and what becomes of it: at the group, at DSS1, at the edge."""

import struct
from pathlib import Path

from lab.broadcast import PORT, RATE, Broadcast
from lab.rtp import gaps, numbers
from lab.stand_in import StandIn
from lab.wire import Wire

# The origin on the studio's cable, where the encoder sends to.
ORIGIN = "10.9.0.1"
GROUP, COPY = "239.255.1.2", 7004
# Above those that Darwin keeps for itself, and the same at DSS1 and the edge.
DSS = 6970

REPLICA = f"""
[replica]
group = "{GROUP}"
ports = [{COPY}]
interface = "studio"
"""

ENCODERS = Path(__file__).parent / "lab" / "twins.py"


def rtp(ssrc, number, size=100):
    """An RTP packet with nothing in it."""
    return struct.pack("!BBHII", 0x80, 96, number, 0, ssrc) + bytes(size)


def sender_report(ssrc):
    """An RTCP packet (RFC 3550, 6.4.1)."""
    return struct.pack("!BBHI5I", 0x80, 200, 6, ssrc, 1, 2, 3, 4, 5)


RECEIVER_REPORT = struct.pack("!BBHI", 0x80, 201, 1, 9)
GOODBYE = struct.pack("!BBHI", 0x81, 203, 1, 9)

# Whatever comes to a port that anybody may send to.
ODD = [
    b"",
    b"\x80",
    b"hello, is anybody there?",
    bytes(12),
    b"\xff" * 1472,
    rtp(1, 1, 0),
    # It claims fifteen contributing sources, an extension and padding, and has none of them.
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


def marked(wire, port, mark):
    """Waits until a mark has come to a port."""
    wire.wait_for(lambda packets: any(p.target_port == port and p.payload == mark for p in packets))


def test_odd_datagrams_and_rtcp_before_rtp_go_everywhere_byte_for_byte(rehearsal):
    scene = rehearsal(to=ORIGIN, files={"s01.toml": f"{REPLICA}dss = [{DSS}]\n"})
    dss = StandIn(scene["origin"])
    dss.open(DSS)
    scene.watch()
    scene.broadcast.tell("pause")
    arriving = Wire(scene["origin"], "studio", f"udp and dst host {ORIGIN}")
    leaving = Wire(scene["origin"], "studio", f"udp and dst host {GROUP}")

    def send(port, datagram):
        scene.broadcast.tell("raw", port, datagram.hex())

    send(PORT, b"begin")
    send(PORT + 1, b"begin")
    # A new stream whose first sign is its RTCP, with what is no sender report before and after.
    scene.broadcast.tell("restart")
    for report in (RECEIVER_REPORT, sender_report(1), GOODBYE, b"odd", sender_report(2) + GOODBYE):
        send(PORT + 1, report)
    for datagram in ODD:
        send(PORT, datagram)
    scene.broadcast.tell("resume")
    scene.wait_for_packets(RATE)
    scene.broadcast.tell("pause")
    for port in (PORT, PORT + 1):
        send(port, b"end")
        marked(arriving, port, b"end")
        marked(leaving, COPY + port - PORT, b"end")
    scene.daemon.wait_until(lambda: b"end" in dss.received(DSS), "DSS1 should get the end")
    scene.daemon.wait_until(lambda: b"end" in scene.edge.received(scene.ports[0]), "and the edge")
    arriving.stop()
    leaving.stop()

    came, reports = between(arriving.payloads(PORT)), between(arriving.payloads(PORT + 1))
    assert came[: len(ODD)] == ODD and len(came) > len(ODD) + RATE / 2
    assert between(leaving.payloads(COPY)) == came
    assert between(leaving.payloads(COPY + 1)) == reports
    assert between(dss.received(DSS)) == came
    assert between(scene.edge.received(scene.ports[0])) == came
    # A streaming server gets no RTCP but what begins with a sender report.
    passing = [report for report in reports if report[1:2] == b"\xc8"]
    assert passing[:2] == [sender_report(1), sender_report(2) + GOODBYE]
    for server in (dss.received(DSS + 1), scene.edge.received(scene.ports[0] + 1)):
        assert server[-len(passing) :] == passing
    assert scene.show()["state"] == "live"


def test_an_encoder_that_begins_anew_from_another_port_is_replicated_and_relayed_on(rehearsal):
    scene = rehearsal(to=ORIGIN, files={"s01.toml": REPLICA})
    scene.watch()
    leaving = Wire(scene["origin"], "studio", f"udp and dst host {GROUP}")
    scene.wait_for_packets(RATE)
    scene.broadcast.tell("restart")
    scene.wait_for_packets(RATE)
    # Another process: a port, an SSRC and a sequence of its own.
    scene.broadcast.program.stop()
    scene.broadcast = Broadcast(scene["encoder"], to=ORIGIN)
    scene.wait_for_packets(2 * RATE)
    at_edge = scene.edge.received(scene.ports[0])
    leaving.wait_for(lambda packets: sum(p.payload == at_edge[-1] for p in packets))
    leaving.stop()
    for packets in (at_edge, leaving.payloads(COPY)):
        senders = list(dict.fromkeys(packet[8:12] for packet in packets if packet[1] == 96))
        assert len(senders) == 3
        for sender in senders:
            assert gaps([packet for packet in packets if packet[8:12] == sender]) == 0
    relay = scene.show()
    assert relay["state"] == "live" and relay["flows"][0]["ssrc_changes"] == 2
    assert relay["flows"][0]["returned"] == 0
    assert replica(scene)["state"] == "running" and not scene.daemon.program.said("come back")


def test_of_two_encoders_that_send_the_same_either_may_stop(rehearsal):
    scene = rehearsal(to=ORIGIN, files={"s01.toml": REPLICA})
    scene.broadcast.tell("pause")
    scene["encoder"].run(["ip", "address", "add", "10.9.0.3/24", "dev", "eth0"])
    script = scene["encoder"].install(ENCODERS, "/run/twins.py")
    twins = scene["encoder"].start("twins", ["/usr/bin/python3", script, ORIGIN, str(PORT), "10.9.0.2", "10.9.0.3"])
    scene.edge.open(scene.ports[0])
    scene.daemon.ask("start", "s01")
    for sending in ("0 1", "1", "1 0", "0"):
        twins.type(f"{sending}\n")
        scene.wait_for_packets(RATE)
        scene.wait_for(state="live")
    packets = [packet for packet in scene.edge.received(scene.ports[0]) if packet[8:12] == struct.pack("!I", 7)]
    sent = numbers(packets)
    assert list(dict.fromkeys(sent)) == list(range(sent[0], sent[-1] + 1)), "none is missing"
    assert len(sent) - len(set(sent)) < 10, "and each is sent once, but for the first that are compared"
    assert "second encoder" in scene.daemon.program.wait_for("come back")


def replica(scene, place=0):
    """What is told of a replica."""
    return scene.daemon.ask("show", "s01")["origin"]["replicas"][place]


def wait_for_group(scene, interface, which):
    """Waits until packets leave by an interface; `which` says which, in tcpdump's words."""
    wire = Wire(scene["origin"], interface, f"udp and {which}")
    wire.wait_for(lambda packets: len(packets) >= RATE // 5)
    wire.stop()


def test_a_reload_moves_a_replica_in_flight(rehearsal):
    scene = rehearsal(to=ORIGIN, files={"s01.toml": REPLICA})
    scene.watch()
    began = scene.show()["started"]
    for text, interface, which in [
        (REPLICA, "studio", f"dst host {GROUP} and ip[8] = 1"),
        (f"{REPLICA}ttl = 9\n", "studio", f"dst host {GROUP} and ip[8] = 9"),
        (REPLICA.replace("studio", "eth0"), "eth0", f"dst host {GROUP} and ip[8] = 1"),
        (REPLICA.replace(GROUP, "239.255.1.3"), "studio", "dst host 239.255.1.3"),
        (REPLICA.replace(str(COPY), "7104"), "studio", f"dst host {GROUP} and dst port 7104"),
    ]:
        scene.daemon.consent("s01.toml", text)
        scene.daemon.run("reload")
        wait_for_group(scene, interface, which)
        scene.daemon.wait_until(lambda: replica(scene)["state"] == "running", "it should run")
        # Nothing goes where it was any more.
        wires = {name: Wire(scene["origin"], name, "dst net 239.255.0.0/16") for name in ("studio", "eth0")}
        scene.let_pass(RATE // 2)
        for wire in wires.values():
            wire.stop()
        host, _, port = replica(scene)["to"][0].partition(":")
        to = {(packet.target, packet.target_port) for packet in wires.pop(interface).packets}
        assert (host, int(port)) in to and to <= {(host, int(port)), (host, int(port) + 1)}
        (other,) = wires.values()
        assert other.packets == []
    # The relay went on all the while.
    assert scene.show()["started"] == began
    assert gaps(scene.edge.received(scene.ports[0])) == 0


def test_on_demand_is_from_the_first_relay_to_the_last(stage):
    settings = REPLICA.replace(f"[{COPY}]", f"[{COPY}, {COPY + 2}]") + 'run = "on-demand"\n'
    scene = stage(to=ORIGIN, edges=("dss2", "dss3"), files={"news.toml": settings})

    def state():
        return scene.daemon.ask("show", "news")["origin"]["replicas"][0]["state"]

    assert state() == "idle"
    scene.daemon.ask("start", "news", "--edge", "dss2")
    scene.daemon.wait_until(lambda: state() == "running", "it should begin with the first relay")
    scene.daemon.ask("start", "news", "--edge", "dss3")
    scene.daemon.run("stop", "news/dss2")
    wait_for_group(scene, "studio", f"dst host {GROUP} and dst port {COPY}")
    assert state() == "running"
    scene.daemon.run("stop", "news/dss3")
    assert state() == "idle"


# The same over IPv6.
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


def test_ffmpeg_sends_over_ipv6(rehearsal):
    scene = rehearsal()
    scene["origin"].run(["ip", "address", "add", f"{ORIGIN6}/64", "dev", "studio", "nodad"])
    scene["encoder"].run(["ip", "address", "add", f"{ENCODER6}/64", "dev", "eth0", "nodad"])
    media = "m=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n"
    scene.daemon.consent("six.sdp", f"v=0\no=- 1 1 IN IP6 {ENCODER6}\ns=-\nc=IN IP6 {ORIGIN6}\nt=0 0\n{media}")
    port = scene.ports[0] + 10
    scene.daemon.consent("six.dss2.sdp", f"v=0\nc=IN IP4 {scene.edge.address}\n{media.replace('5004', str(port))}")
    scene.daemon.consent("six.toml", REPLICA.replace(GROUP, GROUP6))
    scene.daemon.run("reload")
    listener = scene["encoder"].start("listener", ["/usr/bin/python3", "-c", _LISTENER])
    listener.wait_for("ready")
    scene.edge.open(port)
    scene.daemon.ask("start", "six")
    command = ["ffmpeg", "-hide_banner", "-nostdin", "-v", "error", "-re", "-f", "lavfi"]
    command += ["-i", "testsrc2=size=320x240:rate=25", "-c:v", "libx264", "-preset", "ultrafast"]
    command += ["-tune", "zerolatency", "-g", "12", "-b:v", "300k", "-threads", "1", "-f", "rtp"]
    scene["encoder"].start("ffmpeg", [*command, f"rtp://[{ORIGIN6}]:5004?pkt_size=1200"])
    scene.wait_for_packets(100, port)
    listener.wait_for("^80", count=100)
    at_edge = scene.edge.received(port)
    at_group = [bytes.fromhex(line) for line in listener.said("^80")]
    assert gaps(at_edge) == 0 and gaps(at_group) == 0
    start = at_edge.index(at_group[0])
    both = min(len(at_group), len(at_edge) - start)
    assert both >= 50 and at_group[:both] == at_edge[start : start + both]
    told = scene.daemon.ask("scan", "--config", scene.daemon.config, "six", "--for", "2s")
    (media,) = told["streams"][0]["media"]
    assert media["verdict"] == "active" and media["senders"][0]["address"].startswith(f"[{ENCODER6}]")
