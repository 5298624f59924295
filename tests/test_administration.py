"""The daemon reloads and ends."""

import signal

from lab.encoder import addressed_to
from lab.network import address
from lab.player import Mplayer
from lab.web import SITE, fetch


def playing(testbed):
    """A player that plays news, and its relay."""
    player = Mplayer(testbed["viewer"], f"{SITE}/news.smil")
    player.wait_for_play()
    return player, testbed.daemon.wait_for("news/dss2", state="live")


def streams(testbed):
    """The names of the streams."""
    return [stream["name"] for stream in testbed.daemon.ask("streams")["streams"]]


def test_a_reload_finds_a_new_stream_and_does_not_disturb_a_relay(full_testbed):
    testbed = full_testbed()
    player, before = playing(testbed)
    assert fetch(testbed["viewer"], "sport.smil").status == 404

    testbed.daemon.add_file("sport.sdp", testbed.encoder.sdp)
    sport = addressed_to(testbed.encoder.sdp, address("dss2"), 7970, 7972)
    testbed.daemon.add_file("sport.dss2.sdp", sport)
    testbed.daemon.add_file("broken.sdp", "no SDP at all\n")
    testbed.daemon.program.send_signal(signal.SIGHUP)

    testbed.daemon.wait_until(lambda: "sport" in streams(testbed), "sport should be in the catalogue")
    testbed.daemon.program.wait_for("broken.sdp")
    assert fetch(testbed["viewer"], "sport.smil").status == 200
    after = testbed.daemon.wait_for("news/dss2", state="live")
    assert after["started"] == before["started"]
    testbed.daemon.wait_until(
        lambda: testbed.daemon.wait_for("news/dss2")["packets"] > after["packets"] + 100,
        "the relay should go on",
    )
    assert player.program.running
    player.leave()


def test_a_relay_closes_when_its_stream_leaves_the_catalogue(full_testbed):
    testbed = full_testbed()
    player, _ = playing(testbed)
    testbed["origin"].path("/run/etc/streams/news.dss2.sdp").unlink()
    testbed.daemon.ask("reload")
    assert testbed.daemon.wait_for("news/dss2", state="closed")["reason"] == "not-in-catalog"
    assert fetch(testbed["viewer"], "news.smil").status == 403
    player.leave()


def test_sigterm_ends_the_daemon_cleanly(full_testbed):
    testbed = full_testbed()
    playing(testbed)
    socket = testbed["origin"].path("/run/dynrelay/control.sock")
    assert socket.is_socket()
    assert testbed.daemon.program.stop(signal.SIGTERM) == 0
    assert not socket.exists()
    answer = fetch(testbed["viewer"], "news.smil")
    assert answer.status == 503
