"""What an administrator sees at a terminal: dynrelay scan, events and watch."""

import json
import re

from lab.encoder import GROUP

STRANGERS = "239.1.2.99"


def scanned(scene, *words):
    """The medias of each stream that `dynrelay scan … --json` tells of, by their names."""
    ended = scene.daemon.scan(*words, "--json")
    told = json.loads(ended.stdout)
    assert ended.returncode == (0 if told["active"] else 1)
    return {stream["name"]: stream["media"] for stream in told["streams"]}


def send_strangers(scene):
    """Sends an MPEG transport stream, which is no RTP, to a group of its own."""
    ffmpeg = scene["encoder"].start(
        "strangers",
        ["ffmpeg", "-hide_banner", "-nostdin", "-stats_period", "0.2", "-re", "-f", "lavfi"]
        + ["-i", "sine", "-c:a", "mp2", "-f", "mpegts", f"udp://{STRANGERS}:5004?ttl=4"],
    )
    ffmpeg.wait_for(r"time=00:00:0[1-9]")


def test_a_scan_tells_active_medias_from_all_others(stage):
    scene = stage()
    sdp = scene.encoder.sdp
    variants = {
        "half": re.sub(r"m=audio \d+", "m=audio 5916", sdp),
        "other": re.sub(r"(RTP/AVP|rtpmap:|fmtp:) ?9[67]\b", lambda own: f"{own[0][:-2]}99", sdp),
        "strange": sdp.replace(GROUP, STRANGERS),
    }
    for name, variant in variants.items():
        scene.daemon.consent(f"{name}.sdp", variant)
    send_strangers(scene)

    told = scanned(scene, "--for", "2s")
    verdicts = {name: [media["verdict"] for media in medias] for name, medias in told.items()}
    assert verdicts == {
        "news": ["active", "active"],
        "half": ["active", "not-active"],
        "other": ["not-active", "active"],
        "strange": ["not-active", "not-active"],
    }
    video = told["news"][0]
    (sender,) = video["senders"]
    assert (sender["address"].split(":")[0], sender["codecs"]) == ("10.9.0.2", ["H264"])
    assert video["lost"] == 0 and video["packets_per_second"] > 5
    # It is an encoder of 300 kbit/s, on a machine that may be slow.
    assert 20_000 < video["bits_per_second"] < 2_000_000
    assert told["other"][0]["foreign_payload_types"] == [96]
    assert told["strange"][0]["strangers"] > 0

    people = scene.daemon.scan("half", "--for", "1s")
    assert people.returncode == 1 and people.stderr == ""
    assert re.search(r"^half +video H264 +ACTIVE +[\d.]+ kbit/s ", people.stdout, re.MULTILINE)
    assert re.search(r"^half +audio \S+ +NOT ACTIVE$", people.stdout, re.MULTILINE)
    assert all(len(line) <= 80 for line in people.stdout.splitlines())


def test_a_scan_shares_groups_with_a_relay_and_leaves_it_alone(stage):
    scene = stage()
    scene.daemon.ask("start", "news", "--edge", "dss2")
    before = scene.daemon.wait_for("news/dss2", state="starting")
    ended = scene.daemon.scan("news", "--quick", "--for", "60s")
    assert ended.returncode == 0, ended.stdout
    scene.daemon.wait_until(
        lambda: scene.daemon.wait_for("news/dss2")["packets"] > before["packets"] + 20,
        "the relay should go on",
    )
    scene.encoder.stop()
    assert scene.daemon.scan("news", "--for", "1s").returncode == 1
