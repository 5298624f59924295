"""DSS1 as an RTSP server from which dynrelayd pulls a stream: GStreamer's, VLC, or Perl's."""

from pathlib import Path

from .encoder import AUDIO, INPUT, VIDEO, Encoder

# DSS1 is on the studio's cable.
HOST, PORT = "10.9.0.2", 8554
URL = f"rtsp://{HOST}:{PORT}/news.sdp"

PASSWORD = "open sesame"
LOGIN = "viewer:open%20sesame@"


class Dss1:
    """GStreamer's RTSP server on `host`, with ffmpeg as its encoder.

    `options` go to rtsp_server.py: `--tcp-only`, `--login` and so on.
    """

    def __init__(self, host, options=(), port=PORT):
        self.host = host
        self._port = port
        self.encoder = Encoder(host, "127.0.0.1")
        self.encoder.start()
        host.path("/run/dss1").mkdir()
        host.write("/run/dss1/news.sdp", self.encoder.sdp)
        self._script = host.install(
            Path(__file__).with_name("rtsp_server.py"), "/run/rtsp_server.py"
        )
        self._options = options
        self.start()

    def start(self):
        """Starts the server, for the first time or again."""
        command = ["/usr/bin/python3", self._script, "/run/dss1", self._port, *self._options]
        self.program = self.host.start("dss1", command)
        self.program.wait_for("^ready")

    def serve(self, sdp):
        """Serves another SDP file from now on. It sends the same as before."""
        self.program.stop()
        self.host.write("/run/dss1/news.sdp", sdp)
        self.start()

    @property
    def sdp(self):
        """The stream's SDP file."""
        return self.encoder.sdp


class FaultyDss1(Dss1):
    """The same over TCP only, behind rtsp_proxy.py, which makes it fail on command."""

    def __init__(self, host, options=()):
        super().__init__(host, [*options, "--tcp-only"], port=PORT + 1)
        proxy = host.install(Path(__file__).with_name("rtsp_proxy.py"), "/run/rtsp_proxy.py")
        self._proxy = host.start("proxy", ["/usr/bin/python3", proxy, PORT, PORT + 1])
        self._proxy.wait_for("^ready")

    def set_fault(self, *fault):
        """Has one of that program's faults from now on; `pass` is none."""
        said = len(self._proxy.lines)
        self._proxy.type(" ".join(fault) + "\n")
        self._proxy.wait_for(fault[0], start=said)


class VlcServer:
    """VLC, which plays a film over and over again to the user `viewer`. It sends video only."""

    def __init__(self, host, options=()):
        encode = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25"]
        encode += ["-t", "60"]
        encode += ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "12"]
        encode += ["-pix_fmt", "yuv420p"]
        host.run([*encode, "/run/news.ts"])
        play = ["cvlc", "-v", "--no-stats", "--loop", "/run/news.ts", "--sout-keep"]
        play += ["--sout", f"#rtp{{sdp=rtsp://:{PORT}/news.sdp}}"]
        play += ["--sout-rtsp-user", "viewer", "--sout-rtsp-pwd", PASSWORD, *options]
        # VLC refuses to be root; this user owns nothing here.
        self.program = host.start("vlc", play, user="daemon", env={"HOME": "/run"})
        host.wait_for_port(PORT)
        self.sdp = _sdp(_VIDEO)


# An encoder announces the stream to this port of the Perl server.
_ANNOUNCE_PORT = 5545

_SERVE = f"""
my $server = RTSP::Server->new(
    client_listen_port => {PORT}, source_listen_port => {_ANNOUNCE_PORT}, log_level => 4);
$server->listen;
AnyEvent->condvar->recv;
"""


class PerlServer:
    """RTSP::Server in Perl, with ffmpeg as its encoder. It sends over UDP only."""

    def __init__(self, host, options=()):
        serve = ["perl", "-MAnyEvent", "-MRTSP::Server", "-e", _SERVE, *options]
        self.program = host.start("perl", serve)
        host.wait_for_port(_ANNOUNCE_PORT)
        # The parameter sets are in the video itself.
        announce = [*INPUT, *VIDEO, "-bsf:v", "dump_extra=freq=keyframe", *AUDIO]
        announce += ["-f", "rtsp", "-rtsp_transport", "udp", "-pkt_size", "1200"]
        announce += [f"rtsp://127.0.0.1:{_ANNOUNCE_PORT}/news.sdp"]
        host.start("ffmpeg", announce).wait_for(r"time=00:00:0[1-9]")
        self.sdp = _sdp(_VIDEO + "a=fmtp:96 packetization-mode=1\nm=audio 0 RTP/AVP 14\n")


_VIDEO = "m=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\n"


def _sdp(media):
    return f"v=0\no=- 1 1 IN IP4 {HOST}\ns=News\nc=IN IP4 {HOST}\nt=0 0\n{media}"
