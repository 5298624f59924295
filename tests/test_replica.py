"""The daemon replicates a unicast encoder to a group and to DSS1, and prevents cycles."""

import json
import xml.etree.ElementTree
from pathlib import Path

from lab import broadcast
from lab.broadcast import PORT, RATE
from lab.capture import Capture, is_run_of
from lab.edge import Edge
from lab.encoder import VIDEO_PORT, addressed_to
from lab.player import Ffmpeg, Mplayer
from lab.replica import COPY, GROUP, ORIGIN, REPLICA, TWO_MEDIA, replica, wait_for_replica
from lab.rtp import gaps, numbers
from lab.udp_edge import UdpEdge
from lab.web import SITE

DSS = 6970


def reload(testbed, text, stream="s01"):
    """Changes a stream's settings; returns the output of the reload."""
    testbed.daemon.add_file(f"{stream}.toml", text)
    return testbed.daemon.run("reload")


def receive(testbed, sdp):
    """Starts a receiver that plays a second of an SDP file."""
    host = testbed["encoder"]
    file = host.write("/run/replica.sdp", sdp)
    command = ["ffmpeg", "-hide_banner", "-nostdin", "-protocol_whitelist", "file,udp,rtp"]
    command += ["-i", file, "-map", "0:v", "-frames:v", "25", "-f", "null", "-"]
    return host.start("receiver", command)


def test_a_unicast_encoder_is_replicated_and_relayed_byte_for_byte(full_testbed):
    settings = TWO_MEDIA + f"dss = [{DSS}, {DSS + 2}]\n"
    testbed = full_testbed(to=ORIGIN, files={"news.toml": settings})
    wait_for_replica(testbed, "running", "news")
    # DSS1 has no viewer and refuses. The replica runs all the same.
    wait_for_replica(testbed, "running", "news", place=1)
    dss = UdpEdge(testbed["origin"])
    dss.open(DSS)

    arriving = Capture(testbed["origin"], "studio", f"udp and dst host {ORIGIN}")
    leaving = Capture(testbed["origin"], "studio", f"udp and dst host {GROUP} and ip[8] = 1")
    out = Capture(testbed["origin"], "eth0", "udp and dst host dss2.example.net")
    copied = testbed.encoder.sdp.replace(ORIGIN, f"{GROUP}/1").replace("m=video 5004", f"m=video {COPY}")
    receiver = receive(testbed, copied.replace("m=audio 5006", f"m=audio {COPY + 2}"))
    player = Mplayer(testbed["viewer"], f"{SITE}/news.smil")
    player.wait_for_play()
    testbed.daemon.wait_for("news/dss2", state="live")
    assert receiver.wait(60) == 0, "a receiver plays the group"
    arriving.wait_for(lambda packets: sum(one.target_port == 5005 for one in packets) >= 2)
    leaving.wait_for(lambda packets: sum(one.target_port == COPY + 1 for one in packets) >= 2)
    for capture in (leaving, out, arriving):
        capture.stop()

    for port, to in [(VIDEO_PORT, COPY), (VIDEO_PORT + 1, COPY + 1), (5006, COPY + 2)]:
        came, went = arriving.payloads(port), leaving.payloads(to)
        start = next(at for at, packet in enumerate(went) if packet in came)
        assert is_run_of(went[start:], came), f"{port} to {to}"
    assert is_run_of(out.payloads(6970)[:100], arriving.payloads(VIDEO_PORT))
    at_dss = dss.received(DSS)
    # DSS1 has received more since the captures ended.
    arrived = arriving.payloads(VIDEO_PORT)
    last = max(at for at, packet in enumerate(at_dss) if packet in arrived)
    assert is_run_of(at_dss[last - 49 : last + 1], arrived)
    assert gaps(at_dss) == 0

    shown = testbed.daemon.ask("show", "news")
    assert shown["origin"]["kind"] == "unicast" and shown["origin"]["state"] == "running"
    assert shown["relays"][0]["origin"]["kind"] == "unicast"
    assert "news arrives by unicast: running" in testbed.daemon.run("show", "news")
    assert "unicast running" in testbed.daemon.run("streams")
    player.leave()
    testbed.daemon.wait_for("news/dss2", state="closed")
    wait_for_replica(testbed, "running", "news")


def test_local_viewers_watch_the_replica_at_dss1(full_testbed):
    """The encoder sends to a new port, and the replica goes to the ports in DSS1's SDP file."""
    testbed = full_testbed(to=ORIGIN, files={"news.toml": f"[replica]\ndss = [{DSS}, {DSS + 2}]\n"})
    dss1 = Edge(testbed["origin"], {"news.sdp": addressed_to(testbed.encoder.sdp, ORIGIN, DSS, DSS + 2)})
    near = Mplayer(testbed["neighbour"], f"{SITE}/news.smil")
    near.wait_for_play()
    assert testbed.daemon.relays() == [], "for them nothing is relayed"
    far = Mplayer(testbed["viewer"], f"{SITE}/news.smil")
    far.wait_for_play()
    testbed.daemon.wait_for("news/dss2", state="live")
    assert dss1.open_ports() == list(range(DSS, DSS + 4))
    # DSS1 closes its ports after the last viewer, and opens them for the next.
    near.leave()
    testbed.daemon.wait_until(lambda: dss1.open_ports() == [], "DSS1 should close its ports")
    wait_for_replica(testbed, "running", "news")
    again = Ffmpeg(testbed["neighbour"], "rtsp://dss1.example.org/news.sdp", seconds=3)
    assert again.program.wait(60) == 0
    video, audio, _ = again.received()
    assert video > 50 and audio > 50


def test_a_replica_on_demand_runs_while_a_relay_runs(light_testbed):
    testbed = light_testbed(to=ORIGIN, files={"s01.toml": REPLICA + 'run = "on-demand"\n'})
    assert replica(testbed)["state"] == "idle"
    assert testbed.daemon.ask("show", "s01")["origin"]["state"] == "idle"
    capture = Capture(testbed["origin"], "studio", f"udp and dst host {GROUP}")
    testbed.watch()
    wait_for_replica(testbed, "running")
    capture.wait_for(lambda packets: len(packets) >= RATE)
    testbed.daemon.run("stop", "s01/dss2")
    assert replica(testbed)["state"] == "idle"
    before = len(capture.packets)
    testbed.wait_while_sending(RATE)
    capture.stop()
    assert len(capture.packets) - before <= 2, "what was captured late"


def test_a_replica_with_ttl_0_stays_on_this_host(light_testbed):
    testbed = light_testbed(to=ORIGIN, files={"s01.toml": f"{REPLICA}ttl = 0\n"})
    wait_for_replica(testbed, "running")
    capture = Capture(testbed["encoder"], "eth0", f"udp and dst host {GROUP}")
    # A user without rights scans the group on this host.
    assert active(testbed) == ["s01"]
    testbed.wait_while_sending(RATE)
    capture.stop()
    assert capture.packets == []


def test_a_reload_does_not_disturb_an_unchanged_replica(light_testbed):
    testbed = light_testbed(to=ORIGIN, files={"s01.toml": REPLICA})
    wait_for_replica(testbed, "running")
    capture = Capture(testbed["origin"], "studio", f"udp and dst host {GROUP}")
    capture.wait_for(lambda packets: packets)
    for title in ("one", "two"):
        reload(testbed, f'title = "{title}"\n{REPLICA}')
    testbed.daemon.add_file("more.sdp", broadcast.sdp("239.1.1.77", PORT))
    testbed.daemon.run("reload")
    count = len(capture.packets)
    capture.wait_for(lambda packets: len(packets) >= count + RATE)
    capture.stop()
    assert gaps(capture.payloads(COPY)) == 0

    # The daemon has the encoder's port, so a scan receives the replica.
    assert active(testbed) == ["s01"]
    assert testbed.daemon.ask("streams")["streams"][-1]["on_air"] is True
    # For root the daemon itself scans that port.
    told = testbed.daemon.ask("scan", "--config", testbed.daemon.config, "s01", "--for", "1s")
    (media,) = told["streams"][0]["media"]
    assert (media["verdict"], media["from"]) == ("active", [f"{ORIGIN}:{PORT}"])

    reload(testbed, REPLICA.replace(GROUP, "239.255.1.3"))
    wait_for_replica(testbed, "running")
    moved = Capture(testbed["origin"], "studio", "udp and dst net 239.255.0.0/16")
    moved.wait_for(lambda packets: len(packets) >= RATE)
    moved.stop()
    assert {packet.target for packet in moved.packets} == {"239.255.1.3"}
    reload(testbed, "")
    assert "replicas" not in testbed.daemon.ask("show", "s01")["origin"]
    assert testbed.daemon.program.said("has ended")


def test_a_replica_waits_for_packets_and_survives_its_interface(light_testbed):
    testbed = light_testbed(to=ORIGIN, files={"s01.toml": REPLICA.replace("studio", "eth0")})
    wait_for_replica(testbed, "running")
    testbed.broadcast.tell("pause")
    wait_for_replica(testbed, "waiting")
    assert testbed.daemon.ask("show", "s01")["origin"]["state"] == "waiting"
    testbed.broadcast.tell("resume")
    wait_for_replica(testbed, "running")
    testbed["origin"].run(["ip", "link", "set", "eth0", "down"])
    failed = wait_for_replica(testbed, "failed")
    assert failed["detail"]
    assert "failed" in testbed.daemon.run("show", "s01")
    testbed["origin"].run(["ip", "link", "set", "eth0", "up"])
    wait_for_replica(testbed, "running")


def test_a_reload_refuses_a_cycle_and_names_it(light_testbed):
    testbed = light_testbed(to=ORIGIN)
    itself = reload(testbed, f"[replica]\ndss = [{PORT}]\n")
    assert f"s01 → {ORIGIN}:{PORT} → s01" in itself
    testbed.daemon.add_file("sport.sdp", broadcast.sdp(GROUP, COPY))
    testbed.daemon.add_file("sport.toml", '[replica]\ngroup = "239.255.1.9"\nports = [5004]\n')
    testbed.daemon.add_file("talk.sdp", broadcast.sdp("239.255.1.9", 5004))
    testbed.daemon.add_file("talk.toml", f'[replica]\ngroup = "{GROUP}"\nports = [{COPY}]\n')
    through = reload(testbed, REPLICA)
    cycle = f"sport → 239.255.1.9:5004 → talk → {GROUP}:{COPY} → sport"
    assert cycle in through
    assert "replicas" not in testbed.daemon.ask("show", "sport")["origin"]
    # A replica may be another stream's source.
    wait_for_replica(testbed, "running")
    check = ["/run/bin/dynrelay", "check", "--config", "/run/etc/dynrelay.toml"]
    assert cycle in " ".join(testbed["origin"].run(check, check=False).stdout.split())


# Sends each packet of the group back to the origin, from its own address.
REFLECTOR = f"""
import socket, struct
air = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
air.bind(("{GROUP}", {COPY}))
group = socket.inet_aton("{GROUP}") + socket.inet_aton("10.9.0.3")
air.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
out.bind(("10.9.0.3", 9999))
print("ready", flush=True)
while True:
    out.sendto(air.recv(65536), ("{ORIGIN}", {PORT}))
"""


def test_a_packet_that_comes_back_is_reported_and_not_sent_on(light_testbed):
    testbed = light_testbed(to=ORIGIN, files={"s01.toml": REPLICA})
    wait_for_replica(testbed, "running")
    capture = Capture(testbed["origin"], "studio", f"udp and dst host {GROUP} and dst port {COPY}")
    testbed["encoder"].run(["ip", "address", "add", "10.9.0.3/24", "dev", "eth0"])
    reflector = testbed["encoder"].start("reflector", ["/usr/bin/python3", "-c", REFLECTOR])
    reflector.wait_for("ready")
    told = testbed.daemon.program.wait_for("come back")
    assert "s01" in told and "10.9.0.3:9999" in told
    testbed.watch()
    count = len(capture.packets)
    capture.wait_for(lambda packets: len(packets) >= count + 4 * RATE)
    testbed.wait_for_packets(2 * RATE)
    capture.stop()
    sent = numbers(capture.payloads(COPY))
    assert len(sent) - len(set(sent)) < 10, "each goes out once but for the first that came back"
    assert gaps(testbed.edge.received(testbed.ports[0])) == 0
    flow = testbed.show()["flows"][0]
    assert flow["returned"] > RATE
    assert "came back" in testbed.daemon.run("show", "s01")
    assert sum("come back" in line for line in testbed.daemon.program.lines) == 1


# Relays UDP as Darwin Streaming Server does by a relayconfig.xml.
DARWIN = Path(__file__).parent / "lab" / "darwin_relay.py"


def test_darwin_keeps_the_encoders_port_and_sends_the_replica(light_testbed):
    testbed = light_testbed(to=ORIGIN, files={"s01.toml": REPLICA + 'run = "elsewhere"\nttl = 3\n'})
    command = ["/run/bin/dynrelay", "sdp", "relayconfig", "s01", "--config", "/run/etc/dynrelay.toml"]
    origin = testbed["origin"]
    fragment = origin.run(command).stdout
    assert "s01" not in active(testbed)
    origin.write("/run/relayconfig.xml", f"<RELAY_CONFIG>\n{fragment}</RELAY_CONFIG>\n")
    script = origin.install(DARWIN, "/run/darwin_relay.py")
    darwin = origin.start("darwin", ["/usr/bin/python3", script, "/run/relayconfig.xml"])
    darwin.wait_for("^ready")
    assert "s01" in active(testbed)
    testbed.watch()
    testbed.wait_for_packets(RATE)
    assert gaps(testbed.edge.received(testbed.ports[0])) == 0
    shown = testbed.daemon.ask("show", "s01")["origin"]
    assert (shown["kind"], shown["replicas"][0]["state"]) == ("unicast", "elsewhere")
    assert "another program sends" in testbed.daemon.run("show", "s01")


def active(testbed):
    """The streams that `dynrelay scan` finds active."""
    told = json.loads(testbed.daemon.scan("s01", "--for", "2s", "--json").stdout)
    media = {stream["name"]: stream["media"] for stream in told["streams"]}
    return [name for name, of in media.items() if all(one["active"] for one in of)]


def preferences(part):
    """The settings and the ports of a part of relayconfig.xml."""
    settings = {pref.get("NAME"): pref.text for pref in part.iter("PREF")}
    return settings, [int(value.text) for value in part.iter("VALUE")]


def test_darwin_sends_the_replica_of_a_real_encoder(full_testbed):
    """Both media arrive unchanged with the wanted TTL, and a scan confirms it."""
    settings = TWO_MEDIA + 'run = "elsewhere"\nttl = 3\n'
    testbed = full_testbed(to=ORIGIN, files={"news.toml": settings})
    origin = testbed["origin"]
    command = ["/run/bin/dynrelay", "sdp", "relayconfig", "news", "--config", "/run/etc/dynrelay.toml"]
    fragment = origin.run(command).stdout
    relay = xml.etree.ElementTree.fromstring(f"<RELAY_CONFIG>{fragment}</RELAY_CONFIG>").find("OBJECT")
    assert relay.attrib == {"TYPE": "relay", "NAME": "news"}
    source, group, own = map(preferences, relay.findall("OBJECT"))
    assert source == ({"in_addr": ORIGIN}, [VIDEO_PORT, 5006])
    assert group == ({"out_addr": ORIGIN, "dest_addr": GROUP, "ttl": "3"}, [COPY, COPY + 2])
    # Darwin crashes at its first viewer if its SDP file names the ports of the source.
    assert own[0]["dest_addr"] == ORIGIN and not set(own[1]) & set(source[1])

    def heard():
        told = json.loads(testbed.daemon.scan("news", "--for", "2s", "--json").stdout)
        return told["streams"][0]["media"]

    assert [one["verdict"] for one in heard()] == ["not-active"] * 2
    origin.write("/run/relayconfig.xml", f"<RELAY_CONFIG>\n{fragment}</RELAY_CONFIG>\n")
    script = origin.install(DARWIN, "/run/darwin_relay.py")
    origin.start("darwin", ["/usr/bin/python3", script, "/run/relayconfig.xml"]).wait_for("^ready")
    arriving = Capture(origin, "studio", f"udp and dst host {ORIGIN}")
    leaving = Capture(origin, "studio", f"udp and dst host {GROUP} and ip[8] = 3")
    told = heard()
    assert [one["verdict"] for one in told] == ["active"] * 2
    assert [one["from"] for one in told] == [[f"{GROUP}:{port} on studio"] for port in (COPY, COPY + 2)]
    assert [one["senders"][0]["codecs"] for one in told] == [["H264"], ["MPA"]]
    assert all(one["lost"] == 0 and one["senders"][0]["address"].startswith(ORIGIN) for one in told)
    ports = [(port, to + step) for port, to in [(VIDEO_PORT, COPY), (5006, COPY + 2)] for step in (0, 1)]
    for _, to in ports:
        leaving.wait_for(lambda packets, to=to: any(packet.target_port == to for packet in packets))
    leaving.stop()
    arriving.stop()
    for place, (port, to) in enumerate(ports):
        assert is_run_of(leaving.payloads(to), arriving.payloads(port + place % 2)), f"{port} to {to}"
