"""A player follows the link and plays the broadcast."""

import re

import pytest

from lab import encoder
from lab.edge import PORTS
from lab.player import Ffmpeg, Mplayer, Mpv, Vlc
from lab.rtp import gaps
from lab.web import SITE, STATUS, Apache, Lighttpd, Nginx, StockNginx, fetch, get
from lab.capture import Capture, is_run_of

every_web_server = pytest.mark.parametrize("web", [Apache, Lighttpd, Nginx])


@every_web_server
def test_mplayer_follows_the_smil_document_and_plays_picture_and_sound(full_testbed, web):
    testbed = full_testbed(web=web)
    player = Mplayer(testbed["viewer"], f"{SITE}/news.smil")
    player.wait_for_play()
    testbed.daemon.wait_for("news/dss2", state="live")
    player.leave()


@every_web_server
def test_mpv_follows_the_playlist_and_plays_picture_and_sound(full_testbed, web):
    testbed = full_testbed(web=web)
    player = Mpv(testbed["viewer"], f"{SITE}/news.m3u")
    player.wait_for_play()
    testbed.daemon.wait_for("news/dss2", state="live")
    player.leave()


@every_web_server
def test_ffmpeg_receives_both_media_for_ten_seconds_and_loses_no_packet(full_testbed, web):
    testbed = full_testbed(web=web)
    answer = fetch(testbed["viewer"], "news.smil")
    assert (answer.status, answer.type) == (200, "application/smil+xml")
    assert answer.url == "rtsp://dss2.example.net/news.sdp"
    capture = Capture(testbed["viewer"], "eth0", "udp and src host dss2.example.net")

    player = Ffmpeg(testbed["viewer"], answer.url, seconds=10)
    assert player.program.wait(60) == 0

    capture.stop()
    pictures, sounds, complaints = player.received()
    assert complaints == []
    assert pictures >= 10 * 25 - 12  # the first group of pictures may be cut
    assert sounds >= 10 * 44100 // 1152 - 5
    flows = {packet.source_port for packet in capture.packets if packet.source_port % 2 == 0}
    assert len(flows) == 2
    for port in flows:
        sent = [packet.payload for packet in capture.packets if packet.source_port == port]
        assert len(sent) > 50
        assert gaps(sent) == 0


def test_each_link_of_the_viewers_page_leads_its_player_to_the_edge(full_testbed):
    """The tests above follow the links of mplayer and mpv."""
    testbed = full_testbed()
    viewer = testbed["viewer"]
    page = get(viewer, SITE).body
    links = {link.rpartition(".")[2]: link for link in re.findall(r'href="(/cgi-bin/[^"]*)"', page)}
    links = {ending: f"http://www.example.org{link}" for ending, link in links.items() if "?" not in link}
    assert links.keys() == {"smil", "m3u", "qtl", "xspf", "ram", "pls", "asx", "redirect"}

    url = "rtsp://dss2.example.net/news.sdp"
    for ending in ("xspf", "qtl"):
        player = Vlc(viewer, links[ending])
        player.wait_for_item(url)
        player.leave()
    for ending in ("ram", "pls", "asx"):
        player = Mplayer(viewer, links[ending])
        player.wait_for_play()
        player.leave()
    command = ["curl", "-sS", "-o", "/dev/null", "-w", "%{redirect_url}", links["redirect"]]
    assert viewer.run(command).stdout == url
    player = Ffmpeg(viewer, url)
    player.wait_for_play()
    player.leave()


def test_nginx_without_path_info_gives_documents(light_testbed):
    testbed = light_testbed()
    StockNginx(testbed["origin"])
    viewer = testbed["viewer"]
    for document, kind in (("s01.smil", "application/smil+xml"), ("s01.M3U8", "audio/x-mpegurl")):
        answer = get(viewer, f"{SITE}/{document}?player=vlc")
        assert (answer.status, answer.type) == (200, kind)
    assert get(viewer, f"{SITE}/none.smil").status == 404
    assert ".smil, .qtl" in get(viewer, f"{SITE}/s01.sdp").body
    assert get(viewer, f"{SITE}?stream=s01&format=pls").type == "audio/x-scpls"
    page = get(viewer, SITE)
    assert "/cgi-bin/relay.cgi/s01.asx" in page.body
    assert get(viewer, STATUS.replace("localhost", "dss1.example.org")).status == 403
    assert "s01" in get(testbed["origin"], f"{STATUS}/metrics").body


def test_a_repeated_request_changes_nothing_and_restarts_nothing(full_testbed):
    testbed = full_testbed()
    servers = [testbed.web.program, testbed.edges["dss2"].program, testbed.daemon.program]
    before = [server.identity for server in servers]
    viewer = testbed["viewer"]
    player = Mplayer(viewer, f"{SITE}/news.smil")
    player.wait_for_play()
    first = testbed.daemon.wait_for("news/dss2", state="live")
    answer = fetch(viewer, "news.smil")

    crowd = 'for n in $(seq 50); do curl -sSf "$0" >/run/answer.$n & ok="$ok $!"; done; '
    crowd += "for one in $ok; do wait $one || exit 1; done"
    viewer.run(["sh", "-c", crowd, f"{SITE}/news.smil"])

    answers = {viewer.path(f"/run/answer.{n}").read_text() for n in range(1, 51)}
    assert answers == {answer.body}
    relays = testbed.daemon.relays()
    assert [(relay["edge"], relay["started"]) for relay in relays] == [("dss2", first["started"])]
    assert testbed.daemon.relays(closed=True) == []
    assert [server.identity for server in servers] == before
    assert player.program.running
    player.leave()


def test_packets_arrive_at_the_edge_unchanged_and_in_order(full_testbed):
    testbed = full_testbed()
    sent = Capture(testbed["encoder"], "eth0", "udp and dst net 239.0.0.0/8")
    player = Mplayer(testbed["viewer"], f"{SITE}/news.smil")
    player.wait_for_play()
    testbed.daemon.wait_for("news/dss2", state="live")
    arrived = Capture(testbed["dss2"], "eth0", f"udp dst portrange {PORTS[0]}-{PORTS[-1]}")

    def enough(packets):
        ports = [packet.target_port for packet in packets]
        return all(ports.count(port) >= (2 if port % 2 else 200) for port in PORTS)

    arrived.wait_for(enough, 90, "RTP and sender reports at the edge")
    arrived.stop()
    sent.stop()

    for sent_to, arrived_at in zip(encoder.PORTS, PORTS):
        assert is_run_of(arrived.payloads(arrived_at), sent.payloads(sent_to))
    player.leave()
