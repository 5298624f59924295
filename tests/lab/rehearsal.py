"""The stage with stand-ins: light RTP for the encoder, ports on command for the edge."""

from . import broadcast, stand_in
from .broadcast import Broadcast
from .daemon import Daemon
from .network import Network
from .stand_in import StandIn

# What holds where dynrelay.toml has no [shutdown].
DEFAULT_RULES = {"errors": 10, "quiet": "3s", "grace": "20s", "source_silence": "30s"}


class Rehearsal:
    """A network on which `streams` streams are broadcast that the edge dss2 agreed to take.

    `shutdown` and `settings`, of [daemon], go to dynrelayd's configuration, `more` into the streams'
    SDP files, and `files` (name to text) into the streams folder. With `to`, an address of the
    origin, the only stream is sent there by unicast.
    """

    def __init__(self, streams=1, shutdown=None, more="", settings=None, to=None, files=None):
        self.network = Network()
        try:
            self.broadcast = Broadcast(self["encoder"], streams, to)
            self.edge = StandIn(self["dss2"])
            self.daemon = Daemon(self["origin"], ["dss2"], shutdown, settings=settings)
            self.streams = [f"s{number:02}" for number in range(1, streams + 1)]
            self.ports = [stand_in.PORT + 2 * number for number in range(streams)]
            for name, group, port in zip(self.streams, self.broadcast.groups, self.ports):
                sdp = broadcast.sdp(group if to else f"{group}/4", broadcast.PORT, more)
                self.daemon.consent(f"{name}.sdp", sdp)
                self.daemon.consent(f"{name}.dss2.sdp", broadcast.sdp(self.edge.address, port))
            for name, text in (files or {}).items():
                self.daemon.consent(name, text)
            self.daemon.start()
        except BaseException:
            self.strike()
            raise

    def __getitem__(self, name):
        """A host."""
        return self.network[name]

    def watch(self):
        """Every stream has a viewer: its ports are open, and its relay is live."""
        self.edge.open(*self.ports)
        for name in self.streams:
            self.daemon.ask("start", name)
        for name in self.streams:
            self.wait_for(name, state="live")

    def wait_for(self, stream="s01", patience=60, **fields):
        """Waits for a relay whose fields are these."""
        return self.daemon.wait_for(f"{stream}/dss2", patience, **fields)

    def show(self, stream="s01"):
        """The latest relay of a stream, flow by flow."""
        return self.daemon.ask("show", stream)["relays"][0]

    def wait_for_packets(self, count, port=stand_in.PORT):
        """Waits until so many more packets have come to the edge."""
        self.wait_for_total(port, self.edge.count(port) + count)

    def wait_for_total(self, port, count):
        """Waits until so many packets have come to the edge since its start."""
        self.daemon.wait_until(
            lambda: self.edge.count(port) >= count, f"{count} packets should come to port {port}"
        )

    def let_pass(self, count):
        """Waits until the encoder has sent so many more packets, wherever they end."""
        (began,) = self.broadcast.mark()
        self.daemon.wait_until(
            lambda: (self.broadcast.mark()[0] - began) % 65536 >= count, "time should pass"
        )

    def wait_until_quiet(self):
        """Waits until all that was on its way has come to the edge."""
        self.daemon.wait_until(
            lambda: self.show()["flows"][0]["idle_ms"] > 500, "the source should be silent"
        )

    def programs(self):
        """Every program that was started."""
        return [program for host in self.network.hosts.values() for program in host.programs]

    def strike(self):
        """Ends everything."""
        self.network.power_off()
