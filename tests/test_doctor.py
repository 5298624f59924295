"""What `dynrelay sdp offer` and `dynrelay check` say of real systems."""

from lab.player import Mplayer
from lab.web import SITE


def test_an_offered_file_is_taken_by_the_rtsp_server_unchanged_and_played(stage):
    scene = stage(refusing=["dss2"], without_consent=["dss2"])
    offer = ["sdp", "offer", "news", "dss2", "--config", scene.daemon.config]
    printed = scene.daemon.run(*offer)
    assert "c=IN IP4 198.51.100.7" in printed and "239." not in printed
    said = scene.daemon.run(*offer, "--save")
    assert "Have it put in place on dss2 as news.sdp" in said
    file = scene["origin"].path("/run/etc/streams/news.dss2.sdp").read_bytes()
    assert file.decode().splitlines() == printed.splitlines()
    scene.edges["dss2"].take("news.sdp", file)

    fits = scene.daemon.ask("sdp", "check", "news", "dss2", "--config", scene.daemon.config)
    assert fits["fits"] and [one["fits"] for one in fits["media"]] == [True, True]
    scene.daemon.ask("reload")
    player = Mplayer(scene["viewer"], f"{SITE}/news.smil")
    player.wait_for_play()
    relay = scene.daemon.wait_for("news/dss2", state="live")
    assert relay["refusals"] <= relay["packets"]
    player.leave()
