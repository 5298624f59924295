"""The encoder: ffmpeg sends a test card and a tone to a multicast group."""

import re
import signal

GROUP = "239.1.2.3"
VIDEO_PORT, AUDIO_PORT = 5004, 5006
PORTS = range(VIDEO_PORT, AUDIO_PORT + 2)

# A test card and a tone in real time, and their codecs.
INPUT = ["ffmpeg", "-hide_banner", "-nostdin", "-v", "info", "-stats_period", "0.2"]
INPUT += ["-re", "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25"]
INPUT += ["-re", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100"]
VIDEO = ["-map", "0:v", "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency"]
VIDEO += ["-pix_fmt", "yuv420p", "-g", "12", "-b:v", "300k", "-threads", "1"]
AUDIO = ["-map", "1:a", "-c:a", "mp2", "-ac", "1", "-b:a", "64k"]


class Encoder:
    """ffmpeg on `host`: it sends H.264 and MPEG audio as RTP and RTCP in real time."""

    def __init__(self, host, group=GROUP):
        self.host = host
        self.group = group
        self._sdp = f"/run/{group}.sdp"
        self.program = None

    def start(self):
        """Begins to broadcast; returns once the first frames are out."""
        send = ["-f", "rtp"]
        command = [*INPUT, *VIDEO, *send, self._target(VIDEO_PORT)]
        command += [*AUDIO, *send, self._target(AUDIO_PORT), "-sdp_file", self._sdp]
        self.program = self.host.start("ffmpeg", command)
        self.program.wait_for(r"time=00:00:0[1-9]")

    def _target(self, port):
        return f"rtp://{self.group}:{port}?ttl=4&pkt_size=1200"

    def stop(self):
        """Ends the broadcast."""
        self.program.stop(signal.SIGINT)

    @property
    def sdp(self):
        """The SDP file that ffmpeg writes: the origin's news.sdp."""
        return self.host.path(self._sdp).read_text()


def addressed_to(sdp, host, video, audio):
    """The same SDP file with the address of `host` and these ports, for an edge."""
    ports = iter([video, audio])
    sdp = re.sub(r"(?m)^c=.*$", f"c=IN IP4 {host}", sdp.replace("\r", ""))
    return re.sub(r"(?m)^(m=\w+) \d+", lambda media: f"{media[1]} {next(ports)}", sdp)
