"""A stream with audio from Icecast. Icecast's own relay carries it to the edge."""

import json
import xml.etree.ElementTree

from lab.icecast import Icecast
from lab.network import address
from lab.binaries import PROJECT
from lab.web import SITE, Apache

MOUNT = "/s01.mp3"
URL = f"http://dss2.example.net:8000{MOUNT}"


def par(viewer, *options):
    """The elements and URLs that a SMIL document plays at the same time."""
    smil = viewer.run(["curl", "-sSf", *options]).stdout
    return [(part.tag, part.get("src")) for part in xml.etree.ElementTree.fromstring(smil).find("body/par")]


def test_smil_names_video_and_audio_and_icecast_relays_the_audio_on_demand(light_testbed):
    testbed = light_testbed()
    viewer, document = testbed["viewer"], f"{SITE}/s01.smil"
    Apache(testbed["origin"])
    testbed.daemon.add_file("s01.toml", 'audio = "http://{edge}:8000/s01.mp3"\n')
    testbed.daemon.ask("reload")
    video = ("video", "rtsp://dss2.example.net/s01.sdp")
    assert par(viewer, document) == [video, ("audio", URL)]
    icy = ("audio", URL.replace("http:", "icy:"))
    assert par(viewer, "-A", "QuickTime/7.6.6 (qtver=7.6.6)", document) == [video, icy]
    assert par(viewer, f"{document}?player=quicktime") == [video, icy]
    m3u = viewer.run(["curl", "-sSf", f"{SITE}/s01.m3u"]).stdout
    assert video[1] in m3u and "8000" not in m3u

    # A local viewer goes to the origin, and {edge} names the origin.
    near = [("video", "rtsp://dss1.example.org/s01.sdp"), ("audio", URL.replace("dss2.example.net", "dss1.example.org"))]
    assert par(testbed["neighbour"], document) == near

    source = Icecast(testbed["origin"])
    source.feed(MOUNT)
    fragment = (PROJECT / "share/icecast-edge.xml").read_text().replace("/news.mp3", MOUNT)
    Icecast(testbed["dss2"], fragment).program.wait_for("Adding relay source")
    assert source.listeners(address("dss2")) == 0, "nobody listens yet"
    listener = viewer.start("listener", ["curl", "-sS", "-o", "/run/heard.mp3", URL])
    heard = viewer.path("/run/heard.mp3")
    testbed.daemon.wait_until(
        lambda: heard.exists() and heard.stat().st_size > 50_000, "audio should be heard"
    )
    assert b"\xff\xfb" in heard.read_bytes()[:4096], "MPEG audio, layer 3"
    second = viewer.start("listener", ["curl", "-sS", "-o", "/run/second.mp3", URL])
    also = viewer.path("/run/second.mp3")
    testbed.daemon.wait_until(lambda: also.exists() and also.stat().st_size, "both should hear it")
    assert source.listeners(address("dss2")) == 1, "one connection carries it for both"
    listener.stop()
    before = also.stat().st_size
    testbed.daemon.wait_until(lambda: also.stat().st_size > before + 20_000, "the other hears on")
    assert source.listeners(address("dss2")) == 1
    second.stop()
    testbed.daemon.wait_until(
        lambda: source.listeners(address("dss2")) == 0, "the relay should end with its listener"
    )


def test_documents_escape_the_audio_url_and_a_reload_names_the_line_of_a_bad_one(light_testbed):
    testbed = light_testbed()
    viewer, document = testbed["viewer"], f"{SITE}/s01.smil"
    Apache(testbed["origin"])

    def reload(url):
        testbed.daemon.add_file("s01.toml", f'title = "A test"\naudio = "{url}"\n')
        return testbed.daemon.run("reload")

    url = "https://radio.example.org:8443/s01%20live.mp3?token=a&rate=64"
    reload(url)
    both = [("video", "rtsp://dss2.example.net/s01.sdp"), ("audio", url)]
    assert par(viewer, document) == both
    assert par(viewer, f"{document}?player=quicktime") == both, "icy:// knows no TLS"
    assert url.replace("&", "&amp;") in viewer.run(["curl", "-sSf", document]).stdout

    # The daemon names file and line of a fault, and keeps the earlier settings.
    for bad, why in [
        ("ftp://radio/s01", "http:// or https://"),
        ("http://me:secret@radio/s01", "every viewer would see them"),
        ("http://radio/<s01>", "may hold"),
        ("http://radio/100%", "two hexadecimal digits"),
    ]:
        told = " ".join(reload(bad).split())
        assert "s01.toml, line 2" in told and why in told, told
        assert par(viewer, document) == both
        check = [finding for finding in testbed.daemon.check()["findings"] if "s01.toml" in json.dumps(finding)]
        assert why in json.dumps(check), check
