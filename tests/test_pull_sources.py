"""A pulled stream may have any address, feed a replica, and be scanned."""

import json
import struct

import pytest

from lab.edge import AUDIO_PORT, VIDEO_PORT
from lab.dss1 import HOST, LOGIN, PASSWORD, PORT, URL
from lab.player import Mplayer
from lab.replica import COPY, GROUP, TWO_MEDIA
from lab.rtp import gaps
from lab.web import SITE, fetch
from lab.capture import Capture, is_run_of

# IPv6 addresses on the studio's cable, and the name of a camera there.
ORIGIN_6, HOST_6 = "fd00:9::1", "fd00:9::2"
NAME = "camera.example.org"

REPLICA = TWO_MEDIA + 'ttl = 3\nrun = "on-demand"\n'

# The relay stays without viewers.
STAYS = {"grace": "10m", "source_silence": "10m"}


def source(host=None, login="", stream="news"):
    """The text of news.toml."""
    url = URL.replace("news", stream).replace(HOST, host or HOST)
    return 'source = "' + url.replace("rtsp://", f"rtsp://{login}") + '"'


def with_ipv6(testbed, names=()):
    """Adds IPv6 to the studio's cable, and gives the camera these addresses in /etc/hosts."""
    for host, interface, address in [("encoder", "eth0", HOST_6), ("origin", "studio", ORIGIN_6)]:
        command = ["ip", "address", "add", f"{address}/64", "dev", interface, "nodad"]
        testbed[host].run(command)
    named(testbed, *names)


def named(testbed, *addresses):
    """Gives the camera these addresses in the origin's /etc/hosts."""
    known = testbed["origin"].path("/etc/hosts").read_text()
    lines = "".join(f"{address} {NAME}\n" for address in addresses)
    testbed["origin"].write("/run/replaced/etc/hosts", known + lines)


# A name server that knows both addresses of the camera, and nothing else.
NAME_SERVER = f"""
import socket, struct
KNOWN = {{1: socket.inet_aton("{HOST}"), 28: socket.inet_pton(socket.AF_INET6, "{HOST_6}")}}
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 53))
print("ready", flush=True)
while True:
    asked, who = server.recvfrom(512)
    end = asked.index(0, 12) + 5
    kind = int.from_bytes(asked[end - 4 : end - 2], "big")
    found = KNOWN.get(kind, b"")
    record = struct.pack("!HHHIH", 0xC00C, kind, 1, 60, len(found)) + found if found else b""
    head = asked[:2] + struct.pack("!HHHHH", 0x8180, 1, bool(found), 0, 0)
    server.sendto(head + asked[12:end] + record, who)
    print("asked for", kind, flush=True)
"""


def test_a_source_is_found_by_dns(pull_testbed):
    testbed = pull_testbed(source=source(NAME), options=["--address", "::"], shutdown=STAYS)
    with_ipv6(testbed)
    origin = testbed["origin"]
    origin.write("/run/replaced/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n")
    origin.replace("/etc/resolv.conf", "nameserver 127.0.0.1\n")
    names = origin.start("names", ["/usr/bin/python3", "-c", NAME_SERVER])
    names.wait_for("ready")
    start(testbed)
    names.wait_for("asked for 28")
    assert f"from [{HOST_6}]:{PORT}" in testbed.origin_of_news()["detail"]


def start(testbed):
    """Waits until a viewer is sent to the edge."""
    viewer = testbed["viewer"]
    testbed.daemon.wait_until(lambda: fetch(viewer, "news.smil").status == 200, "it should play")


@pytest.mark.parametrize(
    "host, names, options, transport, peer",
    [
        (f"[{HOST_6}]", [], ["--address", "::"], "UDP", f"[{HOST_6}]:{PORT}"),
        (f"[{HOST_6}]", [], ["--address", "::", "--tcp-only"], "TCP", f"[{HOST_6}]:{PORT}"),
        (NAME, [HOST_6, HOST], ["--address", "::"], "UDP", f"[{HOST_6}]:{PORT}"),
        # The name has two addresses, and the server listens at one of them.
        (NAME, [HOST_6, HOST], [], "UDP", f"{HOST}:{PORT}"),
    ],
    ids=["ipv6-udp", "ipv6-tcp", "name", "name-second-address"],
)
def test_a_source_may_have_any_address_or_a_name(pull_testbed, host, names, options, transport, peer):
    testbed = pull_testbed(source=source(host), options=options, shutdown=STAYS)
    with_ipv6(testbed, names)
    sent = Capture(testbed["origin"], "studio", "udp")
    out = Capture(testbed["origin"], "eth0", "udp and dst host dss2.example.net")
    start(testbed)
    assert f"over {transport} from {peer}" in testbed.origin_of_news()["detail"]
    ports = [VIDEO_PORT, VIDEO_PORT + 1, AUDIO_PORT, AUDIO_PORT + 1]
    out.wait_for(lambda packets: {packet.target_port for packet in packets} >= set(ports))
    out.wait_for(lambda packets: sum(packet.target_port == VIDEO_PORT for packet in packets) > 100)
    for capture in (out, sent):
        capture.stop()
    for port in (VIDEO_PORT, AUDIO_PORT):
        assert gaps(out.payloads(port)) == 0
    if transport == "UDP":
        came = {packet.target_port for packet in sent.packets if packet.source in (HOST_6, HOST)}
        for port in ports:
            flows = [sent.payloads(one) for one in came if one % 2 == port % 2]
            assert any(is_run_of(out.payloads(port), flow) for flow in flows), port
    testbed.daemon.run("stop", "news/dss2")
    testbed.wait_for_pull("no longer pulled")
    testbed.dss1.program.wait_for("^viewers: 0")


def receive(testbed):
    """Starts a receiver that plays a second of the group."""
    sdp = testbed.dss1.sdp.replace("127.0.0.1", f"{GROUP}/3").replace("m=video 5004", f"m=video {COPY}")
    file = testbed["encoder"].write("/run/group.sdp", sdp.replace("m=audio 5006", f"m=audio {COPY + 2}"))
    command = ["ffmpeg", "-hide_banner", "-nostdin", "-protocol_whitelist", "file,udp,rtp"]
    command += ["-i", file, "-map", "0:v", "-frames:v", "25", "-map", "0:a", "-f", "null", "-"]
    return testbed["encoder"].start("receiver", command)


def headers(packets):
    """SSRC, sequence number and timestamp of each packet."""
    return [struct.unpack("!HII", packet[2:12]) for packet in packets]


def test_a_pull_feeds_a_group_and_an_edge_at_once(pull_testbed):
    testbed = pull_testbed(source=f"{source()}\n{REPLICA}")
    assert testbed.origin_of_news()["replicas"][0]["state"] == "idle"
    sent = Capture(testbed["origin"], "studio", f"udp and src host {HOST}")
    group = Capture(testbed["origin"], "studio", f"udp and dst host {GROUP} and ip[8] = 3")
    out = Capture(testbed["origin"], "eth0", "udp and dst host dss2.example.net")
    receiver = receive(testbed)
    player = Mplayer(testbed["viewer"], f"{SITE}/news.smil")
    player.wait_for_play()
    testbed.daemon.wait_for("news/dss2", state="live")
    assert receiver.wait(60) == 0, "a receiver plays the group"
    to = {VIDEO_PORT: COPY, VIDEO_PORT + 1: COPY + 1, AUDIO_PORT: COPY + 2, AUDIO_PORT + 1: COPY + 3}
    group.wait_for(lambda packets: {packet.target_port for packet in packets} == set(to.values()))
    (running,) = testbed.origin_of_news()["replicas"]
    assert running["state"] == "running" and running["to"][0] == f"{GROUP}:{COPY}"
    for capture in (group, out, sent):
        capture.stop()
    arrivals = {packet.target_port for packet in sent.packets}
    for edge, copy in to.items():
        flows = [sent.payloads(port) for port in arrivals if port % 2 == edge % 2]
        (flow,) = [flow for flow in flows if group.payloads(copy)[-1] in flow]
        assert is_run_of(group.payloads(copy), flow), f"{copy} is what came"
        assert is_run_of(out.payloads(edge), flow), f"{edge} is what came"
        if edge % 2 == 0:
            assert gaps(flow) == 0
            known = headers(flow)
            start = known.index(headers(group.payloads(copy))[0])
            assert headers(group.payloads(copy)) == known[start : start + len(group.payloads(copy))]
    player.leave()
    assert testbed.daemon.wait_for("news/dss2", state="closed")["reason"] == "no-viewers"
    testbed.wait_for_pull("no longer pulled")
    testbed.dss1.program.wait_for("^viewers: 0")
    assert testbed.origin_of_news()["replicas"][0]["state"] == "idle"


def scan(testbed, *words):
    """The exit status and the output of `dynrelay scan news` as root."""
    command = ["/run/bin/dynrelay", "scan", "--config", "/run/etc/dynrelay.toml", "news", *words]
    done = testbed["origin"].run(command, check=False)
    return done.returncode, done.stdout + done.stderr


def assert_active(testbed):
    """Asserts that a scan of news finds both media active."""
    code, said = scan(testbed, "--for", "3s", "--json")
    (stream,) = json.loads(said)["streams"]
    assert code == 0 and stream["active"] is True
    codecs = [media["senders"][0]["codecs"] for media in stream["media"]]
    assert codecs == [["H264"], ["MPA"]]
    for media in stream["media"]:
        assert media["verdict"] == "active" and media["bits_per_second"] > 10_000
        (sender,) = media["senders"]
        assert media["lost"] == 0 and sender["ssrc"] and sender["address"] == f"{HOST}:{PORT}"


def test_a_scan_pulls_a_stream_by_itself(pull_testbed):
    testbed = pull_testbed(source=source(login=LOGIN), options=["--login", "digest"], shutdown=STAYS)
    assert_active(testbed)
    testbed.dss1.program.wait_for("^teardown")
    assert testbed.origin_of_news()["state"] == "idle"

    # A scan does not disturb the daemon's own pull.
    start(testbed)
    out = Capture(testbed["origin"], "eth0", f"udp dst port {VIDEO_PORT}")
    out.wait_for(lambda packets: packets)
    assert_active(testbed)
    count = len(out.packets)
    out.wait_for(lambda packets: len(packets) > count + 50)
    out.stop()
    assert gaps(out.payloads(VIDEO_PORT)) == 0
    assert testbed.origin_of_news()["state"] == "running"
    assert not testbed.daemon.program.said("trying again")

    # The table for people agrees.
    code, said = scan(testbed, "--for", "2s")
    assert code == 0 and said.count(" ACTIVE") == 2 and "NOT ACTIVE" not in said
    assert "kbit/s" in said and PASSWORD not in said and "open%20sesame" not in said

    # The server stops, and comes back without the stream.
    testbed.dss1.program.stop()
    code, said = scan(testbed, "--for", "2s")
    assert code == 1 and said.count("NOT ACTIVE") == 2 and "Connection refused" in said, said
    testbed["encoder"].run(["rm", "/run/dss1/news.sdp"])
    testbed.dss1.start()
    code, said = scan(testbed, "--for", "2s")
    assert code == 1 and said.count("NOT ACTIVE") == 2 and "404 (no such stream)" in said, said


@pytest.mark.parametrize("options", [[], ["--tcp-only"]], ids=["udp", "tcp"])
def test_a_pull_keeps_its_session_alive_beyond_the_servers_timeout(pull_testbed, options):
    testbed = pull_testbed(options=["--timeout", "2", *options], shutdown=STAYS)
    # Receiver reports would be signs of life too, so only RTSP may pass.
    drop = "add table ip t; add chain ip t in { type filter hook input priority 0; }; "
    testbed["encoder"].run(["nft", drop + "add rule ip t in iifname eth0 meta l4proto udp drop"])
    start(testbed)
    testbed.wait_for_pull("comes over")
    out = Capture(testbed["origin"], "eth0", f"udp dst port {VIDEO_PORT}")
    # The session of a refused SETUP for UDP may have ended by now.
    seen = len(testbed.dss1.program.lines)

    # Ten seconds by the timestamps of the RTP packets: five times the server's time-out.
    def long_enough(packets):
        stamps = [struct.unpack("!I", packet.payload[4:8])[0] for packet in packets]
        return stamps and (stamps[-1] - stamps[0]) % 2**32 > 10 * 90_000

    out.wait_for(long_enough, what="ten seconds of video")
    out.stop()
    assert gaps(out.payloads(VIDEO_PORT)) == 0
    assert not testbed.dss1.program.said("^viewers: 0", start=seen)
    assert not testbed.daemon.program.said("trying again")
    testbed.daemon.run("stop", "news/dss2")
    testbed.dss1.program.wait_for("^viewers: 0", start=seen)


def test_a_stream_is_not_pulled_from_its_own_edge(pull_testbed):
    own = "rtsp://dss2.example.net/news.sdp"
    testbed = pull_testbed(source=f'source = "{own}"')
    way = f"brings news back to itself: news → {own} → news"
    assert way in " ".join(testbed.daemon.run("reload").split())
    check = ["/run/bin/dynrelay", "check", "--config", testbed.daemon.config]
    assert way in " ".join(testbed["origin"].run(check, check=False).stdout.split())
    assert fetch(testbed["viewer"], "news.smil").status == 403
    assert testbed.origin_of_news()["state"] == "idle"


def test_a_stream_is_not_pulled_from_its_own_edge_by_another_name(pull_testbed):
    testbed = pull_testbed(source=f'source = "rtsp://{NAME}/news.sdp"')
    [edge] = testbed.edges
    named(testbed, edge.address)
    assert "back to itself" not in testbed.daemon.run("reload")
    answer = fetch(testbed["viewer"], "news.smil")
    assert answer.status == 502
    why = f"it is at {edge.address}:554, which has the stream from here"
    assert why in testbed.origin_of_news()["detail"]
    # The daemon did not even connect.
    assert not edge.program.said("viewers|DESCRIBE")


def test_a_pull_goes_on_when_an_edge_comes_or_goes(pull_testbed):
    testbed = pull_testbed(edges=["dss2", "dss3"], shutdown=STAYS)
    consent = testbed["origin"].path("/run/etc/streams/news.dss3.sdp")
    known = consent.read_bytes()
    start(testbed)
    out = Capture(testbed["origin"], "eth0", f"udp dst port {VIDEO_PORT} and dst host dss2.example.net")
    for reload in (consent.unlink, lambda: consent.write_bytes(known)):
        out.wait_for(lambda packets, seen=len(out.packets): len(packets) > seen + 50)
        reload()
        testbed.daemon.run("reload")
    out.wait_for(lambda packets, seen=len(out.packets): len(packets) > seen + 50)
    out.stop()
    assert gaps(out.payloads(VIDEO_PORT)) == 0
    assert len(testbed.daemon.program.said("the stream is being pulled")) == 1


# Sends 500 packets to a port of 127.0.0.1.
STRANGER = """
import socket, sys
stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for number in range(500):
    packet = b"\\x80\\x60" + number.to_bytes(2, "big") + bytes(8) + b"a stranger's"
    stranger.sendto(packet, ("127.0.0.1", int(sys.argv[1])))
"""


def test_other_local_programs_add_no_packets(pull_testbed):
    testbed = pull_testbed(shutdown=STAYS)
    start(testbed)
    [video, *_] = testbed.daemon.ask("show", "news")["relays"][0]["flows"]
    out = Capture(testbed["origin"], "eth0", f"udp dst port {VIDEO_PORT}")
    out.wait_for(lambda packets: len(packets) > 50)
    for user in ["games", None]:
        port = video["from"].split(":")[1]
        testbed["origin"].run(["/usr/bin/python3", "-c", STRANGER, port], user=user)
    out.wait_for(lambda packets, seen=len(out.packets): len(packets) > seen + 100)
    out.stop()
    assert not [one for one in out.payloads(VIDEO_PORT) if b"stranger" in one]
    assert gaps(out.payloads(VIDEO_PORT)) == 0
