"""Encoders of the early 2000s, as they announce themselves: vic, rat, mp4live.

ffmpeg encodes each media. It packs most of them into RTP itself; `audio_sender.py` packs the two
that it cannot.
"""

import signal
from dataclasses import dataclass
from pathlib import Path

from .encoder import AUDIO_PORT, GROUP, VIDEO_PORT

_FFMPEG = ["ffmpeg", "-hide_banner", "-nostdin", "-v", "info", "-stats_period", "0.2", "-re"]
_PICTURE = ["-f", "lavfi", "-i", "testsrc2=size=352x288:rate=15"]
_TONE = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=8000"]
_SENDER = Path(__file__).with_name("audio_sender.py")

_SESSION = """v=0
o=- 1 1 IN IP4 10.9.0.2
s=News
c=IN IP4 {group}/4
t=0 0
"""


@dataclass(frozen=True)
class Media:
    """One media: its section of the SDP file, how it is encoded, and what a player calls it."""

    sdp: str
    encode: list
    decoder: str
    # The codec that audio_sender.py packs into RTP; otherwise ffmpeg does.
    packed: str = ""


# Coarse enough for each group of blocks to fit into a packet, as ffmpeg demands.
H261 = Media(
    "m=video {port} RTP/AVP 31",
    ["-c:v", "h261", "-s", "176x144", "-q:v", "24", "-g", "15", "-strict", "experimental"],
    "h261",
)
JPEG = Media(
    "m=video {port} RTP/AVP 26",
    ["-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-huffman", "default", "-q:v", "12"]
    + ["-force_duplicated_matrix", "1"],
    "mjpeg",
)
MPEG4 = Media(
    "m=video {port} RTP/AVP 96\na=rtpmap:96 MP4V-ES/90000\na=fmtp:96 profile-level-id=1",
    ["-c:v", "mpeg4", "-b:v", "200k", "-g", "15", "-pix_fmt", "yuv420p"],
    "mpeg4",
)
PCMU = Media("m=audio {port} RTP/AVP 0", ["-c:a", "pcm_mulaw", "-ar", "8000"], "pcm_mulaw")
GSM = Media("m=audio {port} RTP/AVP 3", ["-c:a", "libgsm", "-f", "gsm"], "gsm", "gsm")
DVI4 = Media("m=audio {port} RTP/AVP 5", ["-c:a", "pcm_s16le", "-f", "s16le"], "none", "dvi4")
# ffmpeg's first AAC frames set the configuration: mono, 44.1 kHz, low complexity.
AAC = Media(
    "m=audio {port} RTP/AVP 97\na=rtpmap:97 mpeg4-generic/44100/1\n"
    "a=fmtp:97 streamtype=5; profile-level-id=15; mode=AAC-hbr; config=1208; SizeLength=13; "
    "IndexLength=3; IndexDeltaLength=3; Profile=1",
    ["-c:a", "aac", "-ar", "44100", "-b:a", "64k"],
    "aac",
)
MP3 = Media("m=audio {port} RTP/AVP 14", ["-c:a", "libmp3lame", "-ar", "44100"], "mp3")


class FormatEncoder:
    """A program on `host` that broadcasts one video and one audio format."""

    def __init__(self, host, video, audio, group=GROUP):
        self.host = host
        self.video, self.audio = video, audio
        self.group = group

    def start(self):
        """Begins to broadcast; returns once the first packets are out."""
        self._start(self.video, _PICTURE, VIDEO_PORT)
        self._start(self.audio, _TONE, AUDIO_PORT)

    def _start(self, media, source, port):
        encode = [*_FFMPEG, *source, *media.encode]
        if not media.packed:
            target = f"rtp://{self.group}:{port}?ttl=4&pkt_size=1200"
            program = self.host.start("ffmpeg", [*encode, "-f", "rtp", target])
            return program.wait_for(r"time=00:00:0[1-9]")
        script = self.host.install(_SENDER, "/run/audio_sender.py")
        pack = ["/usr/bin/python3", script, media.packed, self.group, str(port), *encode, "-"]
        return self.host.start("audio-sender", pack).wait_for("^sends")

    def stop(self):
        """Ends the broadcast."""
        for program in self.host.programs:
            program.stop(signal.SIGINT)

    @property
    def sdp(self):
        """The session as vic, rat and mp4live announce it: no rtpmap for a static payload type."""
        sections = [(self.video, VIDEO_PORT), (self.audio, AUDIO_PORT)]
        text = "\n".join(media.sdp.format(port=port) for media, port in sections)
        return _SESSION.format(group=self.group) + text + "\n"
