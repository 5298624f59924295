"""The full testbed: ffmpeg broadcasts, RTSP servers are the edges, a web server and dynrelayd run."""

from . import edge
from .capture import Capture
from .daemon import Daemon
from .edge import Edge
from .encoder import GROUP, Encoder, addressed_to
from .network import address
from .testbed import Testbed
from .web import Apache

TO_DSS2 = "udp and dst host dss2.example.net"


class FullTestbed(Testbed):
    """A network on which ffmpeg broadcasts `news` and dynrelayd may relay it.

    The hosts `edges` run an RTSP server. Those in `refusing` do not serve the stream; the SDP files
    of those in `without_consent` are not in the catalogue. `shutdown` and `serves` go into
    dynrelay.toml, `files` (name to text) into the streams folder. The encoder, made by `encoder`,
    sends to the group or address `to`.
    """

    def build(
        self,
        web=Apache,
        edges=("dss2",),
        refusing=(),
        without_consent=(),
        shutdown=None,
        serves=None,
        to=GROUP,
        files=None,
        encoder=Encoder,
    ):
        self.encoder = encoder(self["encoder"], to)
        self.encoder.start()
        self.edges = {name: self._edge(name, name in refusing) for name in edges}
        self.daemon = Daemon(self["origin"], edges, shutdown, serves)
        self.daemon.add_file("news.sdp", self.encoder.sdp)
        for name in edges:
            if name not in without_consent:
                self.daemon.add_file(f"news.{name}.sdp", self.sdp_for(name))
        for name, text in (files or {}).items():
            self.daemon.add_file(name, text)
        self.daemon.start()
        self.web = web(self["origin"])

    def _edge(self, name, refusing):
        files = {} if refusing else {"news.sdp": self.sdp_for(name)}
        return Edge(self[name], files)

    def sdp_for(self, name):
        """The SDP file of `news` with the ports of the edge `name`."""
        return addressed_to(self.encoder.sdp, address(name), edge.VIDEO_PORT, edge.AUDIO_PORT)

    def wait_for_broadcast(self):
        """Waits until a hundred more packets of the encoder have come to the origin."""
        studio = Capture(self["origin"], "studio")
        studio.wait_for(lambda packets: len(packets) >= 100, what="the encoder's packets")
        studio.stop()

    def forwarded(self):
        """The number of packets that go to dss2 while a hundred come in."""
        out = Capture(self["origin"], "eth0", TO_DSS2)
        self.wait_for_broadcast()
        out.stop()
        return len(out.packets)
