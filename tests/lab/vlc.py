"""Another RTSP server than GStreamer's: VLC's."""

from .origin import HOST, PASSWORD, PORT

_SDP = f"""v=0
o=- 1 1 IN IP4 {HOST}
s=News
c=IN IP4 {HOST}
t=0 0
m=video 0 RTP/AVP 96
a=rtpmap:96 H264/90000
"""

# Any user that is not root, which VLC refuses to be.
_USER = "daemon"


class Vlc:
    """VLC on `host`, which plays a film over and over again; only the user `viewer` may see it."""

    def __init__(self, host, options=()):
        encode = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25"]
        encode += ["-t", "60"]
        encode += ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "12"]
        encode += ["-pix_fmt", "yuv420p"]
        host.run([*encode, "/run/news.ts"])
        play = ["cvlc", "-v", "--no-stats", "--loop", "/run/news.ts", "--sout-keep"]
        play += ["--sout", f"#rtp{{sdp=rtsp://:{PORT}/news.sdp}}"]
        play += ["--sout-rtsp-user", "viewer", "--sout-rtsp-pwd", PASSWORD, *options]
        self.program = host.start("vlc", play, user=_USER, env={"HOME": "/run"})
        # It says nothing of being ready; that it listens can be seen.
        listens = f"until ss -Hltn | grep -q :{PORT}; do sleep 0.1; done"
        host.run(["sh", "-c", listens])
        self.sdp = _SDP
