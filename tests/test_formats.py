"""Encoders of the early 2000s reach a player through a real edge."""

import pytest

from lab.capture import Capture
from lab.edge import AUDIO_PORT, VIDEO_PORT
from lab.formats import AAC, DVI4, GSM, H261, JPEG, MP3, MPEG4, PCMU, FormatEncoder
from lab.player import Ffmpeg
from lab.rtp import gaps
from lab.web import fetch


@pytest.mark.parametrize(
    "video, audio",
    [(H261, PCMU), (H261, GSM), (MPEG4, AAC), (MPEG4, MP3), (JPEG, PCMU)],
    ids=["vic-h261-rat-pcmu", "vic-h261-rat-gsm", "mp4live-aac", "mp4live-mp3", "jpeg-pcmu"],
)
def test_a_player_decodes_picture_and_sound(full_testbed, video, audio):
    testbed = full_testbed(encoder=lambda host, group: FormatEncoder(host, video, audio, group))
    answer = fetch(testbed["viewer"], "news.smil")
    player = Ffmpeg(testbed["viewer"], answer.url, seconds=4)
    assert player.program.wait(60) == 0, player.program.tail()
    pictures, sounds, _ = player.received()
    assert pictures > 15 and sounds > 20, player.program.tail()
    player.program.wait_for(rf"Video: {video.decoder}")
    player.program.wait_for(rf"Audio: {audio.decoder}")


def test_dvi4_reaches_the_edge_unchanged_and_the_player_by_rtp(full_testbed):
    """No player in Debian decodes DVI4 from RTP, so the packets themselves are compared."""
    testbed = full_testbed(encoder=lambda host, group: FormatEncoder(host, H261, DVI4, group))
    arriving = Capture(testbed["origin"], "studio", "udp and dst port 5006")
    leaving = Capture(testbed["dss2"], "eth0", f"udp and dst port {AUDIO_PORT}")
    played = Capture(testbed["viewer"], "eth0", "udp and src host dss2.example.net")
    answer = fetch(testbed["viewer"], "news.smil")
    player = Ffmpeg(testbed["viewer"], answer.url, seconds=4)
    leaving.wait_for(lambda packets: len(packets) >= 100, what="DVI4 at the edge")
    dvi4 = lambda packet: packet.payload[1:2] and packet.payload[1] & 0x7F == 5
    played.wait_for(lambda packets: sum(map(dvi4, packets)) >= 50, what="DVI4 at the player")
    # In this order, so that the first capture has seen all that the others have.
    for capture in [played, leaving, arriving]:
        capture.stop()
    player.leave()
    sent = [packet.payload for packet in leaving.packets]
    assert set(sent) <= {packet.payload for packet in arriving.packets}
    assert gaps(sent) == 0
