"""A relay closes by itself, and a new player brings it back."""

import pytest

from lab.player import Ffmpeg, Mplayer
from lab.web import SITE, fetch


@pytest.mark.long
def test_when_the_last_player_leaves_the_relay_closes_and_a_new_player_starts_it_again(stage):
    scene = stage()
    one = Mplayer(scene["viewer"], f"{SITE}/news.smil")
    one.wait_for_play()
    other = Mplayer(scene["guest"], f"{SITE}/news.smil")
    other.wait_for_play()
    scene.daemon.wait_for("news/dss2", state="live")

    one.leave()
    scene.edges["dss2"].program.wait_for("viewers: 1")
    scene.wait_for_broadcast()
    assert scene.daemon.wait_for("news/dss2", state="live"), "another still watches"

    other.leave()
    closed = scene.daemon.wait_for("news/dss2", state="closed")
    assert closed["reason"] == "no-viewers"
    assert closed["refusals"] >= 3
    line = scene.daemon.program.wait_for("no-viewers")
    assert "news" in line and "dss2" in line
    assert scene.daemon.relays() == []
    assert scene.edges["dss2"].open_ports() == []
    assert scene.forwarded() == 0

    again = Mplayer(scene["viewer"], f"{SITE}/news.smil")
    again.wait_for_play()
    scene.daemon.wait_for("news/dss2", state="live")
    again.leave()
    scene.daemon.wait_until(
        lambda: len(scene.daemon.relays(closed=True)) == 2, "the second relay should close too"
    )


@pytest.mark.long
def test_when_the_encoder_stops_the_relay_closes_and_a_new_broadcast_plays(stage):
    scene = stage()
    player = Mplayer(scene["viewer"], f"{SITE}/news.smil")
    player.wait_for_play()
    scene.daemon.wait_for("news/dss2", state="live")

    scene.encoder.stop()
    closed = scene.daemon.wait_for("news/dss2", state="closed")
    assert closed["reason"] == "source-ended"
    assert scene.daemon.program.wait_for("source-ended")
    player.program.stop()

    scene.encoder.start()
    again = Mplayer(scene["viewer"], f"{SITE}/news.smil")
    again.wait_for_play()
    scene.daemon.wait_for("news/dss2", state="live")
    again.leave()


def test_an_edge_that_serves_no_such_stream_is_given_up_after_the_grace(stage):
    scene = stage(refusing=["dss2"])
    answer = fetch(scene["viewer"], "news.smil")
    assert answer.status == 200
    player = Ffmpeg(scene["viewer"], answer.url)
    assert player.program.wait(30) != 0
    assert player.program.said("404")

    closed = scene.daemon.wait_for("news/dss2", state="closed")
    assert closed["reason"] == "never-accepted"
    assert scene.daemon.program.wait_for("never-accepted")
    assert scene.forwarded() == 0
