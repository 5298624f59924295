"""A scan of a unicast encoder, at a port that the daemon may use."""

import struct

from lab.broadcast import RATE
from lab.encoder import VIDEO_PORT
from lab.replica import ORIGIN
from lab.rtp import gaps
from lab.web import SITE, STATUS, Apache, get

ENCODER = "10.9.0.2"


def scan(testbed, *words):
    """The media of the only stream in a scan by root."""
    (stream,) = testbed.daemon.ask("scan", "--config", testbed.daemon.config, *words)["streams"]
    return stream["media"]


def ssrc(packet):
    """The SSRC of a packet."""
    return struct.unpack("!I", packet[8:12])[0]


def on_air(testbed, stream="s01"):
    """Whether a stream is on air, as the daemon says."""
    told = testbed.daemon.ask("streams")["streams"]
    return next(one["on_air"] for one in told if one["name"] == stream)


def test_a_scan_receives_a_stream_at_the_daemons_port(light_testbed):
    testbed = light_testbed(to=ORIGIN)
    testbed.watch()
    testbed.wait_for_packets(RATE)
    (media,) = scan(testbed, "s01", "--for", "3s")
    (sender,) = media["senders"]
    port = testbed.ports[0]
    assert (media["verdict"], media["from"]) == ("active", [f"{ORIGIN}:5004"])
    assert sender["ssrc"] == ssrc(testbed.edge.received(port)[0])
    assert sender["address"].startswith(f"{ENCODER}:")
    assert (sender["codecs"], media["lost"], media["drops"], media["strangers"]) == (["H264"], 0, 0, 0)
    assert sender["packets"] >= RATE and media["packets_per_second"] > RATE / 2
    assert sender["bytes"] == 200 * sender["packets"]

    # A scan sees lost packets, and an encoder that restarts.
    testbed.broadcast.tell("disturb", 3)
    testbed.broadcast.tell("restart")
    (media,) = scan(testbed, "s01", "--for", "4s")
    assert media["lost"] > 0
    assert media["senders"][0]["ssrc"] != sender["ssrc"]
    table = testbed.daemon.run("scan", "--config", testbed.daemon.config, "s01", "--for", "1s")
    assert "ACTIVE" in table and ENCODER in table
    walk = ["/run/bin/dynrelay", "check", "--config", testbed.daemon.config, "--edge", "dss2", "s01"]
    assert f"video H264 arrives, from {ENCODER}:" in testbed["origin"].run(walk, check=False).stdout
    assert testbed.show()["state"] == "live"


def test_a_scan_takes_neither_port_nor_packets_from_a_relay(light_testbed):
    testbed = light_testbed(to=ORIGIN)
    words = ["/run/bin/dynrelay", "scan", "--config", testbed.daemon.config, "s01", "--for", "1h", "--json"]
    scanning = testbed["origin"].start("scan", words)
    testbed.daemon.wait_until(lambda: ":5004" in bound(testbed), "the daemon should listen")
    testbed.watch()
    testbed.wait_for_packets(2 * RATE)
    assert scanning.running
    testbed.daemon.run("stop", "s01/dss2")
    testbed.wait_while_sending(RATE)
    assert scanning.running and ":5004" in bound(testbed)
    assert gaps(testbed.edge.received(testbed.ports[0])) == 0
    # The daemon leaves the port when the scan ends.
    scanning.stop()
    testbed.daemon.wait_until(lambda: ":5004" not in bound(testbed), "the port should be free again")


def bound(testbed):
    """The UDP sockets of the origin."""
    return testbed["origin"].run(["ss", "-Huln"]).stdout


def test_a_scan_without_rights_says_to_run_it_as_root(light_testbed):
    testbed = light_testbed(to=ORIGIN)

    def refused():
        told = testbed.daemon.scan("s01", "--for", "1s")
        assert told.returncode == 0, "nobody can tell, and that is not held against it"
        return "NOT ALLOWED" in told.stdout and "run the scan as root" in " ".join(told.stdout.split())

    assert refused()
    testbed.watch()
    assert refused()
    # Without a daemon the scan takes the port itself.
    testbed.daemon.program.stop()
    told = testbed.daemon.scan("s01", "--for", "1s")
    assert told.returncode == 0 and "ACTIVE" in told.stdout, told.stdout


def test_a_scan_says_that_another_program_uses_the_port(light_testbed):
    testbed = light_testbed(to=ORIGIN)
    hold = f"import socket; s = socket.socket(type=socket.SOCK_DGRAM); s.bind(('{ORIGIN}', 5004)); "
    hold += "print('ready', flush=True); input()"
    holder = testbed["origin"].start("holder", ["/usr/bin/python3", "-c", hold])
    holder.wait_for("ready")
    assert scan(testbed, "s01", "--for", "1s")[0]["verdict"] == "busy"
    assert on_air(testbed) is None
    holder.stop()
    assert scan(testbed, "s01", "--quick")[0]["verdict"] == "active"


def test_the_daemon_knows_whether_a_stream_is_on_air(light_testbed):
    testbed = light_testbed(to=ORIGIN)
    Apache(testbed["origin"])
    page = lambda: get(testbed["origin"], STATUS).body  # noqa: E731
    assert on_air(testbed) is True
    assert ":5004" not in bound(testbed), "the port is free again"
    assert "on air" in page() and "not known" not in page()
    viewers = testbed["viewer"].run(["curl", "-sSf", SITE]).stdout
    assert "s01" in viewers and "on air" in viewers
    testbed.watch()
    assert on_air(testbed) is True
    testbed.broadcast.tell("pause")
    testbed.daemon.wait_until(lambda: on_air(testbed) is False, "the stream should be off air")
    testbed.daemon.wait_until(lambda: "off air" in page(), "the page should say so, too")


def test_a_scan_names_the_codecs_of_a_relayed_stream(full_testbed):
    testbed = full_testbed(to=ORIGIN)
    testbed.daemon.ask("start", "news", "--client", "203.0.113.9")
    told = scan(testbed, "news", "--for", "3s")
    assert [one["media"] for one in told] == ["video H264", "audio MPA"]
    assert [one["verdict"] for one in told] == ["active", "active"]
    assert [one["senders"][0]["codecs"] for one in told] == [["H264"], ["MPA"]]
    assert all(one["lost"] == 0 and one["bits_per_second"] > 10_000 for one in told)
    assert {one["senders"][0]["address"].split(":")[0] for one in told} == {ENCODER}
    assert told[0]["from"] == [f"{ORIGIN}:{VIDEO_PORT}"]
