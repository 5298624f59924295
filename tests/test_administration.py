"""The daemon's own life: reload and the end."""

import signal

from lab.encoder import addressed_to
from lab.network import address
from lab.player import Mplayer
from lab.web import SITE, fetch


def playing(scene):
    """A player that watches news, and the relay that brings it."""
    player = Mplayer(scene["viewer"], f"{SITE}/news.smil")
    player.wait_for_play()
    return player, scene.daemon.wait_for("news/dss2", state="live")


def streams(scene):
    """The names in the catalogue."""
    return [stream["name"] for stream in scene.daemon.ask("streams")["streams"]]


def test_a_reload_finds_a_new_stream_and_does_not_disturb_a_relay(stage):
    scene = stage()
    player, before = playing(scene)
    assert fetch(scene["viewer"], "sport.smil").status == 404

    scene.daemon.consent("sport.sdp", scene.encoder.sdp)
    sport = addressed_to(scene.encoder.sdp, address("dss2"), 7970, 7972)
    scene.daemon.consent("sport.dss2.sdp", sport)
    scene.daemon.consent("broken.sdp", "no SDP at all\n")
    scene.daemon.program.send_signal(signal.SIGHUP)

    scene.daemon.wait_until(lambda: "sport" in streams(scene), "sport should be in the catalogue")
    scene.daemon.program.wait_for("broken.sdp")
    assert fetch(scene["viewer"], "sport.smil").status == 200
    after = scene.daemon.wait_for("news/dss2", state="live")
    assert after["started"] == before["started"]
    scene.daemon.wait_until(
        lambda: scene.daemon.wait_for("news/dss2")["packets"] > after["packets"] + 100,
        "the relay should go on",
    )
    assert player.program.running
    player.leave()


def test_a_stream_that_left_the_catalogue_is_relayed_no_longer(stage):
    scene = stage()
    player, _ = playing(scene)
    scene["origin"].path("/run/etc/streams/news.dss2.sdp").unlink()
    scene.daemon.ask("reload")
    assert scene.daemon.wait_for("news/dss2", state="closed")["reason"] == "not-in-catalog"
    assert fetch(scene["viewer"], "news.smil").status == 403
    player.leave()


def test_sigterm_ends_the_daemon_cleanly(stage):
    scene = stage()
    playing(scene)
    socket = scene["origin"].path("/run/dynrelay/control.sock")
    assert socket.is_socket()
    assert scene.daemon.program.stop(signal.SIGTERM) == 0
    assert not socket.exists()
    answer = fetch(scene["viewer"], "news.smil")
    assert answer.status == 503
