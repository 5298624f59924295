"""The whole scene: a broadcast, edges, the web server and dynrelayd, ready for a viewer."""

from . import edge
from .daemon import Daemon
from .edge import Edge
from .encoder import GROUP, Encoder, addressed_to
from .network import Network, address
from .web import Apache
from .wire import Wire

TO_DSS2 = "udp and dst host dss2.example.net"


class Stage:
    """A network on which `news` is broadcast and may be relayed.

    `edges` are the hosts that run an RTSP server, `refusing` those of them that do not serve the
    stream, and `without_consent` those whose SDP file is not in the catalogue. `shutdown` and
    `serves` go to dynrelayd's configuration, `files` (name to text) into the streams folder. The
    encoder, made by `encoder`, sends to the group or address `to`.
    """

    def __init__(
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
        self.network = Network()
        try:
            self.encoder = encoder(self.network["encoder"], to)
            self.encoder.start()
            self.edges = {name: self._edge(name, name in refusing) for name in edges}
            self.daemon = Daemon(self.network["origin"], edges, shutdown, serves)
            self.daemon.consent("news.sdp", self.encoder.sdp)
            for name in edges:
                if name not in without_consent:
                    self.daemon.consent(f"news.{name}.sdp", self.sdp_for(name))
            for name, text in (files or {}).items():
                self.daemon.consent(name, text)
            self.daemon.start()
            self.web = web(self.network["origin"])
        except BaseException:
            self.strike()
            raise

    def _edge(self, name, refusing):
        files = {} if refusing else {"news.sdp": self.sdp_for(name)}
        return Edge(self.network[name], files)

    def sdp_for(self, name):
        """`news` as the edge `name` agreed to take it."""
        return addressed_to(self.encoder.sdp, address(name), edge.VIDEO_PORT, edge.AUDIO_PORT)

    def __getitem__(self, name):
        """A host."""
        return self.network[name]

    def wait_for_broadcast(self):
        """Waits until a hundred more packets of the encoder have come to the origin."""
        studio = Wire(self["origin"], "studio")
        studio.wait_for(lambda packets: len(packets) >= 100, what="the encoder's packets")
        studio.stop()

    def forwarded(self):
        """How many packets go to dss2 while a hundred come in."""
        out = Wire(self["origin"], "eth0", TO_DSS2)
        self.wait_for_broadcast()
        out.stop()
        return len(out.packets)

    def programs(self):
        """Every program that was started."""
        return [program for host in self.network.hosts.values() for program in host.programs]

    def strike(self):
        """Ends everything."""
        self.network.power_off()
