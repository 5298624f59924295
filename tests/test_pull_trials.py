"""A source that a stream is pulled from goes through all kinds of trouble, and viewers wait for it."""

import json
import signal

import pytest

from lab.edge import VIDEO_PORT
from lab.origin import HOST, PORT, URL, MoodyDss1
from lab.web import STATUS, fetch, get
from lab.wire import Wire

# The relay is there, whoever watches.
STAYS = {"grace": "10m", "source_silence": "10m"}


def plays(scene):
    """The source is well again: the next viewer is sent to the edge, and packets go there."""
    viewer = scene["viewer"]
    scene.daemon.wait_until(lambda: fetch(viewer, "news.smil").status == 200, "it should play")
    out = Wire(scene["origin"], "eth0", f"udp dst port {VIDEO_PORT}")
    out.wait_for(lambda packets: len(packets) > 50, what="video on the way to the edge")
    out.stop()


def status(scene):
    """What relays.json says."""
    return json.loads(get(scene["origin"], f"{STATUS}/relays.json").body)


def is_told(scene, *reasons):
    """A viewer is told 502, and the administrator why."""
    answer = fetch(scene["viewer"], "news.smil")
    assert answer.status == 502
    told = [scene.origin_of_news(), *(relay["origin"] for relay in status(scene)["relays"])]
    page = get(scene["origin"], STATUS).body
    for reason in ("tried again", *reasons):
        assert all(one["state"] == "failed" and reason in one["detail"] for one in told), told
        assert reason in page and reason in scene.daemon.run("show", "news")
    return answer.body


def test_a_source_that_refuses_or_redirects_is_asked_until_it_is_mended(pulled):
    scene = pulled(dss1=MoodyDss1, shutdown=STAYS)
    viewer = scene["viewer"]
    scene.dss1.be("refuse")
    assert fetch(viewer, "news.smil").status == 502
    scene.wait_for_pull("can't be pulled, trying again: no connection to .*refused")
    assert "does not send" in is_told(scene, "Connection refused")
    scene.dss1.be("redirect", "rtsp://192.0.2.130/news.sdp")
    scene.wait_for_pull("redirects .302. to another host")
    assert "refuses" in is_told(scene, "redirects (302) to another host")
    scene.dss1.be("redirect", URL)
    scene.wait_for_pull("redirects .302. again and again")
    assert "refuses" in is_told(scene, "redirects (302) again and again")
    assert scene.daemon.relays() == []
    scene.dss1.be("pass")
    plays(scene)
    scene.wait_for_pull("comes over TCP")
    detail = f"{URL}, over TCP from {HOST}:{PORT}"
    told = {"kind": "rtsp", "state": "running", "detail": detail}
    assert scene.origin_of_news() == told
    assert [relay["origin"] for relay in status(scene)["relays"]] == [told]
    for seen in (get(scene["origin"], STATUS).body, scene.daemon.run("show", "news")):
        assert "running" in seen and detail in " ".join(seen.split())


@pytest.mark.parametrize("mood, silent", [("mute", "OPTIONS"), ("options", "DESCRIBE")])
def test_a_source_that_hangs_is_asked_again(pulled, mood, silent):
    scene = pulled(dss1=MoodyDss1, shutdown=STAYS)
    scene.dss1.be(mood)
    answer = fetch(scene["viewer"], "news.smil")
    assert answer.status == 503 and "fetched" in answer.body
    assert scene.origin_of_news()["state"] == "connecting"
    assert "connecting" in get(scene["origin"], STATUS).body
    assert "connecting" in scene.daemon.run("show", "news")
    scene.wait_for_pull(f"{silent} is not answered within")
    assert "does not send" in is_told(scene, f"{silent} is not answered")
    scene.dss1.be("pass")
    plays(scene)


def test_a_source_that_falls_silent_over_udp_is_asked_again(pulled):
    scene = pulled(shutdown=STAYS)
    plays(scene)
    scene.wait_for_pull("comes over UDP")
    scene.dss1.encoder.stop()
    scene.wait_for_pull("trying again: no packet came for")
    assert "does not send" in is_told(scene)
    scene.dss1.encoder.start()
    scene.wait_for_pull("comes over")
    plays(scene)


@pytest.mark.long
def test_a_source_that_fails_amid_the_broadcast_plays_on_when_it_is_mended(pulled):
    scene = pulled(dss1=MoodyDss1, shutdown=STAYS)
    plays(scene)
    scene.wait_for_pull("comes over TCP")

    scene.dss1.be("drop")
    scene.wait_for_pull("trying again: it hung up")
    scene.wait_for_pull("comes over TCP")

    scene.dss1.be("frozen")
    scene.wait_for_pull("no packet came for")
    assert "does not send" in is_told(scene)
    scene.dss1.be("pass")
    scene.wait_for_pull("comes over TCP")
    plays(scene)

    scene.dss1.program.stop(signal.SIGKILL)
    scene.wait_for_pull("trying again: it hung up")
    assert "does not send" in is_told(scene)
    scene.dss1.start()
    scene.wait_for_pull("comes over TCP")
    plays(scene)

    # One that has got another codec meanwhile, and then the right one again.
    sdp = scene.dss1.sdp
    scene.dss1.serve(sdp.replace("RTP/AVP 96", "RTP/AVP 97").replace(":96 ", ":97 "))
    scene.wait_for_pull("it has no video H264/90000 pt 96")
    assert "refuses" in is_told(scene, "it has no video")
    scene.dss1.serve(sdp)
    scene.wait_for_pull("comes over TCP")
    plays(scene)
    assert len(scene.daemon.relays()) == 1 and not scene.daemon.relays(closed=True)
