"""A pull survives every fault of its source."""

import json
import signal

import pytest

from lab.edge import VIDEO_PORT
from lab.dss1 import HOST, PORT, URL, FaultyDss1
from lab.web import STATUS, fetch, get
from lab.capture import Capture

# The relay stays without viewers.
STAYS = {"grace": "10m", "source_silence": "10m"}


def plays(testbed):
    """Waits until a viewer is sent to the edge and packets go there."""
    viewer = testbed["viewer"]
    testbed.daemon.wait_until(lambda: fetch(viewer, "news.smil").status == 200, "it should play")
    out = Capture(testbed["origin"], "eth0", f"udp dst port {VIDEO_PORT}")
    out.wait_for(lambda packets: len(packets) > 50, what="video on the way to the edge")
    out.stop()


def status(testbed):
    """The content of relays.json."""
    return json.loads(get(testbed["origin"], f"{STATUS}/relays.json").body)


def is_told(testbed, *reasons):
    """Asserts that a viewer gets 502, and that every view shows these reasons."""
    answer = fetch(testbed["viewer"], "news.smil")
    assert answer.status == 502
    told = [testbed.origin_of_news(), *(relay["origin"] for relay in status(testbed)["relays"])]
    page = get(testbed["origin"], STATUS).body
    for reason in ("tried again", *reasons):
        assert all(one["state"] == "failed" and reason in one["detail"] for one in told), told
        assert reason in page and reason in testbed.daemon.run("show", "news")
    return answer.body


def test_a_pull_retries_a_source_that_refuses_or_redirects(pull_testbed):
    testbed = pull_testbed(dss1=FaultyDss1, shutdown=STAYS)
    viewer = testbed["viewer"]
    testbed.dss1.set_fault("refuse")
    assert fetch(viewer, "news.smil").status == 502
    testbed.wait_for_pull("can't be pulled, trying again: no connection to .*refused")
    assert "does not send" in is_told(testbed, "Connection refused")
    testbed.dss1.set_fault("redirect", "rtsp://192.0.2.130/news.sdp")
    testbed.wait_for_pull("redirects .302. to another host")
    assert "refuses" in is_told(testbed, "redirects (302) to another host")
    testbed.dss1.set_fault("redirect", URL)
    testbed.wait_for_pull("redirects .302. again and again")
    assert "refuses" in is_told(testbed, "redirects (302) again and again")
    assert testbed.daemon.relays() == []
    testbed.dss1.set_fault("pass")
    plays(testbed)
    testbed.wait_for_pull("comes over TCP")
    detail = f"{URL}, over TCP from {HOST}:{PORT}"
    told = {"kind": "rtsp", "state": "running", "detail": detail}
    assert testbed.origin_of_news() == told
    assert [relay["origin"] for relay in status(testbed)["relays"]] == [told]
    for seen in (get(testbed["origin"], STATUS).body, testbed.daemon.run("show", "news")):
        assert "running" in seen and detail in " ".join(seen.split())


@pytest.mark.parametrize("mood, silent", [("mute", "OPTIONS"), ("options", "DESCRIBE")])
def test_a_pull_retries_a_source_that_hangs(pull_testbed, mood, silent):
    testbed = pull_testbed(dss1=FaultyDss1, shutdown=STAYS)
    testbed.dss1.set_fault(mood)
    answer = fetch(testbed["viewer"], "news.smil")
    assert answer.status == 503 and "fetched" in answer.body
    assert testbed.origin_of_news()["state"] == "connecting"
    assert "connecting" in get(testbed["origin"], STATUS).body
    assert "connecting" in testbed.daemon.run("show", "news")
    testbed.wait_for_pull(f"{silent} is not answered within")
    assert "does not send" in is_told(testbed, f"{silent} is not answered")
    testbed.dss1.set_fault("pass")
    plays(testbed)


def test_a_pull_retries_a_source_that_falls_silent_over_udp(pull_testbed):
    testbed = pull_testbed(shutdown=STAYS)
    plays(testbed)
    testbed.wait_for_pull("comes over UDP")
    testbed.dss1.encoder.stop()
    testbed.wait_for_pull("trying again: no packet came for")
    assert "does not send" in is_told(testbed)
    testbed.dss1.encoder.start()
    testbed.wait_for_pull("comes over")
    plays(testbed)


@pytest.mark.long
def test_a_pull_recovers_from_each_fault_during_a_broadcast(pull_testbed):
    testbed = pull_testbed(dss1=FaultyDss1, shutdown=STAYS)
    plays(testbed)
    testbed.wait_for_pull("comes over TCP")

    testbed.dss1.set_fault("drop")
    testbed.wait_for_pull("trying again: it hung up")
    testbed.wait_for_pull("comes over TCP")

    testbed.dss1.set_fault("frozen")
    testbed.wait_for_pull("no packet came for")
    assert "does not send" in is_told(testbed)
    testbed.dss1.set_fault("pass")
    testbed.wait_for_pull("comes over TCP")
    plays(testbed)

    testbed.dss1.program.stop(signal.SIGKILL)
    testbed.wait_for_pull("trying again: it hung up")
    assert "does not send" in is_told(testbed)
    testbed.dss1.start()
    testbed.wait_for_pull("comes over TCP")
    plays(testbed)

    # The source returns with another codec, and then with the right one.
    sdp = testbed.dss1.sdp
    testbed.dss1.serve(sdp.replace("RTP/AVP 96", "RTP/AVP 97").replace(":96 ", ":97 "))
    testbed.wait_for_pull("it has no video H264/90000 pt 96")
    assert "refuses" in is_told(testbed, "it has no video")
    testbed.dss1.serve(sdp)
    testbed.wait_for_pull("comes over TCP")
    plays(testbed)
    assert len(testbed.daemon.relays()) == 1 and not testbed.daemon.relays(closed=True)
