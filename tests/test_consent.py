"""Without the edge's SDP file there is no relay."""

from lab.full_testbed import TO_DSS2
from lab.web import fetch
from lab.capture import Capture


def test_a_stream_without_the_edges_sdp_file_is_403_and_sends_no_packet(full_testbed):
    testbed = full_testbed(without_consent=["dss2"])
    out = Capture(testbed["origin"], "eth0", TO_DSS2)
    answer = fetch(testbed["viewer"], "news.smil")
    assert answer.status == 403
    assert "/run/" not in answer.body
    testbed.wait_for_broadcast()
    assert testbed.daemon.relays() == testbed.daemon.relays(closed=True) == []
    out.stop()
    assert out.packets == []


def test_an_unknown_stream_is_404(full_testbed):
    testbed = full_testbed()
    assert fetch(testbed["viewer"], "olds.smil").status == 404
    assert testbed.daemon.relays() == []
