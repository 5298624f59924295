"""A unicast encoder: what a scan hears at a port that the daemon has, and what encoders get up to."""

import struct

from lab.broadcast import RATE
from lab.encoder import VIDEO_PORT
from lab.rtp import gaps
from lab.web import SITE, STATUS, Apache, get

# The origin on the studio's cable, where the encoder sends to.
ORIGIN = "10.9.0.1"
ENCODER = "10.9.0.2"


def scan(scene, *words):
    """What root is told by a scan, media by media, of its only stream."""
    (stream,) = scene.daemon.ask("scan", "--config", scene.daemon.config, *words)["streams"]
    return stream["media"]


def ssrc(packet):
    """Who sends a packet."""
    return struct.unpack("!I", packet[8:12])[0]


def on_air(scene, stream="s01"):
    """Whether the daemon says that a stream is on air."""
    told = scene.daemon.ask("streams")["streams"]
    return next(one["on_air"] for one in told if one["name"] == stream)


def test_a_scan_hears_a_stream_that_the_daemon_has(rehearsal):
    scene = rehearsal(to=ORIGIN)
    scene.watch()
    scene.wait_for_packets(RATE)
    (media,) = scan(scene, "s01", "--for", "3s")
    (sender,) = media["senders"]
    port = scene.ports[0]
    assert (media["verdict"], media["from"]) == ("active", [f"{ORIGIN}:5004"])
    assert sender["ssrc"] == ssrc(scene.edge.received(port)[0])
    assert sender["address"].startswith(f"{ENCODER}:")
    assert (sender["codecs"], media["lost"], media["drops"], media["strangers"]) == (["H264"], 0, 0, 0)
    assert sender["packets"] >= RATE and media["packets_per_second"] > RATE / 2
    assert sender["bytes"] == 200 * sender["packets"]

    # What gets lost on the way to the origin, and who begins anew, is seen as well.
    scene.broadcast.tell("disturb", 3)
    scene.broadcast.tell("restart")
    (media,) = scan(scene, "s01", "--for", "4s")
    assert media["lost"] > 0
    assert media["senders"][0]["ssrc"] != sender["ssrc"]
    table = scene.daemon.run("scan", "--config", scene.daemon.config, "s01", "--for", "1s")
    assert "ACTIVE" in table and ENCODER in table
    walk = ["/run/bin/dynrelay", "check", "--config", scene.daemon.config, "--edge", "dss2", "s01"]
    assert f"video H264 arrives, from {ENCODER}:" in scene["origin"].run(walk, check=False).stdout
    assert scene.show()["state"] == "live"


def test_a_scan_takes_no_port_from_a_relay_that_begins_and_no_packet(rehearsal):
    scene = rehearsal(to=ORIGIN)
    words = ["/run/bin/dynrelay", "scan", "--config", scene.daemon.config, "s01", "--for", "1h", "--json"]
    scanning = scene["origin"].start("scan", words)
    scene.daemon.wait_until(lambda: ":5004" in bound(scene), "the daemon should listen")
    scene.watch()
    scene.wait_for_packets(2 * RATE)
    assert scanning.running
    scene.daemon.run("stop", "s01/dss2")
    scene.let_pass(RATE)
    assert scanning.running and ":5004" in bound(scene)
    assert gaps(scene.edge.received(scene.ports[0])) == 0
    # Who has had enough is listened for no more.
    scanning.stop()
    scene.daemon.wait_until(lambda: ":5004" not in bound(scene), "the port should be free again")


def bound(scene):
    """The UDP sockets of the origin."""
    return scene["origin"].run(["ss", "-Huln"]).stdout


def test_who_may_not_be_told_hears_a_clear_word(rehearsal):
    scene = rehearsal(to=ORIGIN)

    def refused():
        told = scene.daemon.scan("s01", "--for", "1s")
        assert told.returncode == 0, "nobody can tell, and that is not held against it"
        return "NOT ALLOWED" in told.stdout and "run the scan as root" in " ".join(told.stdout.split())

    assert refused()
    scene.watch()
    assert refused()
    # Without a daemon there is nobody to disturb.
    scene.daemon.program.stop()
    told = scene.daemon.scan("s01", "--for", "1s")
    assert told.returncode == 0 and "ACTIVE" in told.stdout, told.stdout


def test_another_programs_port_is_said_to_be_in_use(rehearsal):
    scene = rehearsal(to=ORIGIN)
    hold = f"import socket; s = socket.socket(type=socket.SOCK_DGRAM); s.bind(('{ORIGIN}', 5004)); "
    hold += "print('ready', flush=True); input()"
    holder = scene["origin"].start("holder", ["/usr/bin/python3", "-c", hold])
    holder.wait_for("ready")
    assert scan(scene, "s01", "--for", "1s")[0]["verdict"] == "busy"
    assert on_air(scene) is None
    holder.stop()
    assert scan(scene, "s01", "--quick")[0]["verdict"] == "active"


def test_whether_it_is_on_air_is_known_without_a_relay_and_with_one(rehearsal):
    scene = rehearsal(to=ORIGIN)
    Apache(scene["origin"])
    page = lambda: get(scene["origin"], STATUS).body  # noqa: E731
    assert on_air(scene) is True
    assert ":5004" not in bound(scene), "the port is free again"
    assert "on air" in page() and "not known" not in page()
    viewers = scene["viewer"].run(["curl", "-sSf", SITE]).stdout
    assert "s01" in viewers and "on air" in viewers
    scene.watch()
    assert on_air(scene) is True
    scene.broadcast.tell("pause")
    scene.daemon.wait_until(lambda: on_air(scene) is False, "the stream should be off air")
    scene.daemon.wait_until(lambda: "off air" in page(), "the page should say so, too")


def test_ffmpegs_medias_are_heard_by_codec_while_they_are_relayed(stage):
    scene = stage(to=ORIGIN)
    scene.daemon.ask("start", "news", "--client", "203.0.113.9")
    told = scan(scene, "news", "--for", "3s")
    assert [one["media"] for one in told] == ["video H264", "audio MPA"]
    assert [one["verdict"] for one in told] == ["active", "active"]
    assert [one["senders"][0]["codecs"] for one in told] == [["H264"], ["MPA"]]
    assert all(one["lost"] == 0 and one["bits_per_second"] > 10_000 for one in told)
    assert {one["senders"][0]["address"].split(":")[0] for one in told} == {ENCODER}
    assert told[0]["from"] == [f"{ORIGIN}:{VIDEO_PORT}"]
