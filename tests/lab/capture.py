"""A capture of UDP on one interface, while it runs."""

import ipaddress
import os
import re
import signal
import struct
import subprocess
import threading
from dataclasses import dataclass

from .program import Timeout, entered


@dataclass(frozen=True)
class Packet:
    """A UDP datagram as it was on the wire."""

    source: str
    source_port: int
    target: str
    target_port: int
    payload: bytes


class Capture:
    """tcpdump on `interface` of `host`, with the filter `which`. Packets can be read while it runs."""

    def __init__(self, host, interface, which="udp"):
        self.packets = []
        self._grown = threading.Condition()
        listening = threading.Event()
        # No frame on these cables is longer, and short slots let the buffer hold more frames.
        room = ["-B", "16384", "-s", "2048"]
        command = ["tcpdump", "-i", interface, "-w", "-", "-U", "--immediate-mode", *room]
        self._process = subprocess.Popen(
            host.enter([*command, "-Z", "root", which]),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._errors = b""
        threading.Thread(target=self._watch, args=[listening], daemon=True).start()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if not listening.wait(20):
            raise Timeout(f"tcpdump does not listen on {host.name}/{interface}: {self._errors}")

    def _watch(self, listening):
        for line in self._process.stderr:
            self._errors += line
            if b"listening on" in line:
                listening.set()

    def _read(self):
        stream = self._process.stdout
        stream.read(24)
        while len(header := stream.read(16)) == 16:
            _, _, captured, _ = struct.unpack("=IIII", header)
            packet = _udp(stream.read(captured))
            if packet:
                with self._grown:
                    self.packets.append(packet)
                    self._grown.notify_all()

    def wait_for(self, enough, patience=60, what="packets"):
        """Waits until `enough(packets)` is true; returns the packets."""
        with self._grown:
            if not self._grown.wait_for(lambda: enough(self.packets), patience):
                raise Timeout(f"{what}: not seen in {patience} s among {len(self.packets)}")
            return list(self.packets)

    def payloads(self, port):
        """The payloads that went to `port`, in order."""
        return [packet.payload for packet in list(self.packets) if packet.target_port == port]

    def stop(self):
        """Ends the capture. Raises if the kernel dropped packets of it."""
        os.kill(entered(self._process.pid), signal.SIGINT)
        self._process.wait(20)
        self._reader.join(20)
        dropped = re.search(rb"(\d+) packets dropped by kernel", self._errors)
        if dropped and int(dropped[1]):
            raise AssertionError(f"the capture lost {int(dropped[1])} packets")


def is_run_of(part, whole):
    """Whether the payloads `part` appear in `whole` in order, with none between them."""
    if not part or part[0] not in whole:
        return False
    start = whole.index(part[0])
    return part == whole[start : start + len(part)]


def _udp(frame):
    kind, ip = frame[12:14], frame[14:]
    if len(ip) >= 28 and kind == b"\x08\x00" and ip[9] == 17:
        datagram, addresses = ip[(ip[0] & 15) * 4 :], (ip[12:16], ip[16:20])
    elif len(ip) >= 48 and kind == b"\x86\xdd" and ip[6] == 17:
        datagram, addresses = ip[40:], (ip[8:24], ip[24:40])
    else:
        return None
    source_port, target_port, length = struct.unpack("!HHH", datagram[:6])
    source, target = (str(ipaddress.ip_address(address)) for address in addresses)
    return Packet(source, source_port, target, target_port, datagram[8:length])
