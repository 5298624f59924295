"""A third RTSP server: RTSP::Server, in Perl. It sends over UDP only, what an encoder announces."""

from .encoder import AUDIO, INPUT, VIDEO
from .origin import HOST, PORT

_ANNOUNCE_PORT = 5545

_SERVE = f"""
my $server = RTSP::Server->new(
    client_listen_port => {PORT}, source_listen_port => {_ANNOUNCE_PORT}, log_level => 4);
$server->listen;
AnyEvent->condvar->recv;
"""

# The parameter sets are in the video itself.
_SDP = f"""v=0
o=- 1 1 IN IP4 {HOST}
s=News
c=IN IP4 {HOST}
t=0 0
m=video 0 RTP/AVP 96
a=rtpmap:96 H264/90000
a=fmtp:96 packetization-mode=1
m=audio 0 RTP/AVP 14
"""


class PerlServer:
    """The server on `host`, with ffmpeg as its encoder."""

    def __init__(self, host, options=()):
        serve = ["perl", "-MAnyEvent", "-MRTSP::Server", "-e", _SERVE, *options]
        self.program = host.start("perl", serve)
        # It says nothing of being ready; that it listens can be seen.
        listens = f"until ss -Hltn | grep -q :{_ANNOUNCE_PORT}; do sleep 0.1; done"
        host.run(["sh", "-c", listens])
        announce = [*INPUT, *VIDEO, "-bsf:v", "dump_extra=freq=keyframe", *AUDIO]
        announce += ["-f", "rtsp", "-rtsp_transport", "udp", "-pkt_size", "1200"]
        announce += [f"rtsp://127.0.0.1:{_ANNOUNCE_PORT}/news.sdp"]
        host.start("ffmpeg", announce).wait_for(r"time=00:00:0[1-9]")
        self.sdp = _SDP
