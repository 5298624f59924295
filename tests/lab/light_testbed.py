"""The light testbed: a script sends bare RTP, and the edge's UDP ports open on command."""

from . import broadcast, udp_edge
from .broadcast import Broadcast
from .daemon import Daemon
from .testbed import Testbed
from .udp_edge import UdpEdge

# The defaults of [shutdown] in dynrelay.toml.
DEFAULT_RULES = {"errors": 10, "quiet": "3s", "grace": "20s", "source_silence": "30s"}


class LightTestbed(Testbed):
    """A network on which the streams s01, s02, ... are broadcast. The edge dss2 accepts them all.

    `shutdown` and `settings` (of [daemon]) go into dynrelay.toml, the lines `more` into the streams'
    SDP files, and `files` (name to text) into the streams folder. With `to`, an address of the
    origin, the only stream is sent there by unicast.
    """

    def build(self, streams=1, shutdown=None, more="", settings=None, to=None, files=None):
        self.broadcast = Broadcast(self["encoder"], streams, to)
        self.edge = UdpEdge(self["dss2"])
        self.daemon = Daemon(self["origin"], ["dss2"], shutdown, settings=settings)
        self.streams = [f"s{number:02}" for number in range(1, streams + 1)]
        self.ports = [udp_edge.PORT + 2 * number for number in range(streams)]
        for name, group, port in zip(self.streams, self.broadcast.groups, self.ports):
            sdp = broadcast.sdp(group if to else f"{group}/4", broadcast.PORT, more)
            self.daemon.add_file(f"{name}.sdp", sdp)
            self.daemon.add_file(f"{name}.dss2.sdp", broadcast.sdp(self.edge.address, port))
        for name, text in (files or {}).items():
            self.daemon.add_file(name, text)
        self.daemon.start()

    def watch(self):
        """Gives every stream a viewer: opens its ports, and waits until its relay is live."""
        self.edge.open(*self.ports)
        for name in self.streams:
            self.daemon.ask("start", name)
        for name in self.streams:
            self.wait_for(name, state="live")

    def wait_for(self, stream="s01", patience=60, **fields):
        """Waits for a relay with these fields; returns it."""
        return self.daemon.wait_for(f"{stream}/dss2", patience, **fields)

    def show(self, stream="s01"):
        """The latest relay of a stream, with its flows."""
        return self.daemon.ask("show", stream)["relays"][0]

    def wait_for_packets(self, count, port=udp_edge.PORT):
        """Waits until the edge has received `count` more packets."""
        self.wait_for_total(port, self.edge.count(port) + count)

    def wait_for_total(self, port, count):
        """Waits until the edge has received `count` packets since it started."""
        self.daemon.wait_until(
            lambda: self.edge.count(port) >= count, f"{count} packets should come to port {port}"
        )

    def wait_while_sending(self, count):
        """Waits until the encoder has sent `count` more packets, wherever they end."""
        (began,) = self.broadcast.mark()
        self.daemon.wait_until(
            lambda: (self.broadcast.mark()[0] - began) % 65536 >= count, "time should pass"
        )

    def wait_until_quiet(self):
        """Waits until every packet on its way has come to the edge."""
        self.daemon.wait_until(
            lambda: self.show()["flows"][0]["idle_ms"] > 500, "the source should be silent"
        )
