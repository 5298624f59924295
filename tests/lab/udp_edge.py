"""An edge whose UDP ports open and close on command."""

import struct
from pathlib import Path

from .network import address

# The RTP port of the first stream. RTCP is one higher, the next stream two.
PORT = 6970


class UdpEdge:
    """udp_server.py on `host`. The host's kernel refuses packets to closed ports."""

    def __init__(self, host):
        self.host = host
        self.address = address(host.name)
        self._starts = 0
        self.start()

    def start(self):
        """Starts the server with all ports closed."""
        self._starts += 1
        self._folder = f"/run/kept{self._starts}"
        self.host.path(self._folder).mkdir()
        script = self.host.install(Path(__file__).with_name("udp_server.py"), "/run/udp_server.py")
        command = ["/usr/bin/python3", script, self._folder, "554"]
        self.program = self.host.start("edge", command)
        self._tell("open")

    def _tell(self, command):
        before = len(self.program.lines)
        self.program.type(f"{command}\n")
        return self.program.wait_for(f"^{command}", start=before)

    def open(self, *ports):
        """Opens RTP ports and their RTCP ports."""
        self._tell("open " + " ".join(f"{port} {port + 1}" for port in ports))

    def close(self, *ports):
        """Closes RTP ports and their RTCP ports, all at once."""
        self._tell("close " + " ".join(f"{port} {port + 1}" for port in ports))

    def report_viewers(self, count):
        """Answers sender reports with a count of viewers from now on."""
        self._tell(f"viewers {count}")

    def count(self, port):
        """The number of datagrams that a port has received since the start."""
        return int(self._tell(f"count {port}").split()[-1])

    def received(self, port):
        """The datagrams that a port has received since the start, in order."""
        self._tell(f"keep {port}")
        data = self.host.path(f"{self._folder}/{port}").read_bytes()
        datagrams = []
        while data:
            length = 4 + struct.unpack("!I", data[:4])[0]
            datagrams.append(data[4:length])
            data = data[length:]
        return datagrams
