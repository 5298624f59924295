"""The testbed for installations: a Debian booted by systemd is the origin."""

from . import broadcast, udp_edge
from .broadcast import Broadcast
from .container import Container
from .testbed import Testbed
from .udp_edge import UdpEdge
from .web import SITE

CONFIG = "/etc/dynrelay/dynrelay.toml"

_EDGE = """
[[edge]]
name = "dss2"
address = "198.51.100.7"
url = "rtsp://dss2.example.net"
"""


class PackageTestbed(Testbed):
    """A broadcast, an edge with a viewer, and a fresh Debian on the origin."""

    machine = None

    def build(self, debian):
        self.broadcast = Broadcast(self["encoder"])
        self.edge = UdpEdge(self["dss2"])
        self.edge.open(udp_edge.PORT)
        self.machine = Container(self["origin"], debian)
        names = self["origin"].path("/run/replaced/etc/hosts").read_text()
        self.machine.write("/etc/hosts", names)

    def end(self):
        """Ends everything."""
        if self.machine:
            self.machine.power_off()
        super().end()

    def configure(self):
        """The stream s01 may go to dss2."""
        config = self.machine.path(CONFIG)
        text = config.read_text().replace('#interface = "eth0"', 'interface = "studio"')
        config.write_text(text + _EDGE)
        group = self.broadcast.groups[0]
        arrives = broadcast.sdp(f"{group}/4", broadcast.PORT)
        self.machine.write("/etc/dynrelay/streams/s01.sdp", arrives)
        taken = broadcast.sdp(self.edge.address, udp_edge.PORT)
        self.machine.write("/etc/dynrelay/streams/s01.dss2.sdp", taken)
        self.machine.run(["systemctl", "reload", "dynrelayd"])

    def fetch(self, document, site=SITE, host="viewer"):
        """The HTTP status that a viewer, or another host, gets."""
        command = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"{site}{document}"]
        return int(self[host].run(command, check=False).stdout)

    def wait_for_answer(self, document):
        """Waits until a viewer gets a document. relay.cgi answers 503 if the machine is too busy."""
        self.machine.wait_until(
            lambda: self.fetch(document) == 200, f"a viewer should get {document}"
        )

    def wait_for_packets(self):
        """Waits until the edge gets packets, more than were on their way."""
        first = self.edge.count(udp_edge.PORT)
        self.machine.wait_until(
            lambda: self.edge.count(udp_edge.PORT) > first + 50, "packets should come to the edge"
        )

    def ended(self, do):
        """Does something that ends the daemon, and waits for the next one."""
        before = self.machine.property("MainPID")
        do(before)
        self.machine.wait_until(
            lambda: self.machine.property("MainPID") not in (before, "0")
            and self.machine.property("ActiveState") == "active",
            "another daemon should run",
        )
