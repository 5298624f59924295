"""No SDP file of an edge, no relay."""

from lab.stage import TO_DSS2
from lab.web import fetch
from lab.wire import Wire


def test_without_the_edges_sdp_file_the_answer_is_403_and_no_packet_is_sent(stage):
    scene = stage(without_consent=["dss2"])
    out = Wire(scene["origin"], "eth0", TO_DSS2)
    answer = fetch(scene["viewer"], "news.smil")
    assert answer.status == 403
    assert "/run/" not in answer.body
    scene.wait_for_broadcast()
    assert scene.daemon.relays() == scene.daemon.relays(closed=True) == []
    out.stop()
    assert out.packets == []


def test_an_unknown_stream_is_404(stage):
    scene = stage()
    assert fetch(scene["viewer"], "olds.smil").status == 404
    assert scene.daemon.relays() == []
