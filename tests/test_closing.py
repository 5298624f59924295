"""A relay closes by itself, and the next player starts it again."""

import pytest

from lab.player import Ffmpeg, Mplayer
from lab.web import SITE, fetch


@pytest.mark.long
def test_a_relay_closes_when_nobody_watches_and_starts_for_the_next_player(full_testbed):
    testbed = full_testbed()
    one = Mplayer(testbed["viewer"], f"{SITE}/news.smil")
    one.wait_for_play()
    other = Mplayer(testbed["guest"], f"{SITE}/news.smil")
    other.wait_for_play()
    testbed.daemon.wait_for("news/dss2", state="live")

    one.leave()
    testbed.edges["dss2"].program.wait_for("viewers: 1")
    testbed.wait_for_broadcast()
    assert testbed.daemon.wait_for("news/dss2", state="live"), "another still watches"

    other.leave()
    closed = testbed.daemon.wait_for("news/dss2", state="closed")
    assert closed["reason"] == "no-viewers"
    assert closed["refusals"] >= 3
    line = testbed.daemon.program.wait_for("no-viewers")
    assert "news" in line and "dss2" in line
    assert testbed.daemon.relays() == []
    assert testbed.edges["dss2"].open_ports() == []
    assert testbed.forwarded() == 0

    again = Mplayer(testbed["viewer"], f"{SITE}/news.smil")
    again.wait_for_play()
    testbed.daemon.wait_for("news/dss2", state="live")
    again.leave()
    testbed.daemon.wait_until(
        lambda: len(testbed.daemon.relays(closed=True)) == 2, "the second relay should close too"
    )


@pytest.mark.long
def test_a_relay_closes_when_the_encoder_stops_and_starts_for_the_next_broadcast(full_testbed):
    testbed = full_testbed()
    player = Mplayer(testbed["viewer"], f"{SITE}/news.smil")
    player.wait_for_play()
    testbed.daemon.wait_for("news/dss2", state="live")

    testbed.encoder.stop()
    closed = testbed.daemon.wait_for("news/dss2", state="closed")
    assert closed["reason"] == "source-ended"
    assert testbed.daemon.program.wait_for("source-ended")
    player.program.stop()

    testbed.encoder.start()
    again = Mplayer(testbed["viewer"], f"{SITE}/news.smil")
    again.wait_for_play()
    testbed.daemon.wait_for("news/dss2", state="live")
    again.leave()


def test_a_relay_closes_after_the_grace_when_the_edge_lacks_the_stream(full_testbed):
    testbed = full_testbed(refusing=["dss2"])
    answer = fetch(testbed["viewer"], "news.smil")
    assert answer.status == 200
    player = Ffmpeg(testbed["viewer"], answer.url)
    assert player.program.wait(30) != 0
    assert player.program.said("404")

    closed = testbed.daemon.wait_for("news/dss2", state="closed")
    assert closed["reason"] == "never-accepted"
    assert testbed.daemon.program.wait_for("never-accepted")
    assert testbed.forwarded() == 0
