#!/usr/bin/python3
"""A streaming server without media: its UDP ports open and close on command.

Usage: udp_server.py FOLDER TCP-PORT

It accepts TCP connections, gives each one RTSP answer, and keeps the datagrams that its open ports
receive. It reads commands from standard input and answers each by a line that repeats the command:

open PORT…   opens UDP ports
close PORT…  closes them; from then on the kernel refuses packets
keep PORT    writes the datagrams of PORT to FOLDER/PORT, each after its length
count PORT   prints the number of datagrams
viewers N    answers sender reports from now on as Darwin Streaming Server does, with N viewers
"""

import contextlib
import os
import selectors
import socket
import struct
import sys

# Root may set a buffer so large that no datagram is lost.
_SO_RCVBUFFORCE = 33


class Edge:
    """The ports, and the datagrams that they received."""

    def __init__(self, folder, port):
        self._folder = folder
        self._open = {}
        self._kept = {}
        self._viewers = None
        self._ready = selectors.DefaultSelector()
        listener = socket.create_server(("", port))
        self._ready.register(listener, selectors.EVENT_READ, lambda: self._greet(listener))
        self._callers = []
        self._ready.register(0, selectors.EVENT_READ, self._read_commands)
        self._typed = b""

    def run(self):
        """Serves until standard input ends."""
        while True:
            for key, _ in self._ready.select():
                key.data()

    def _greet(self, listener):
        """Answers before the caller asks, and keeps the connection open."""
        caller, _ = listener.accept()
        with contextlib.suppress(OSError):
            caller.send(b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nServer: stand-in\r\n\r\n")
        self._callers = [*self._callers[-10:], caller]

    def _read_commands(self):
        chunk = os.read(0, 1 << 16)
        if not chunk:
            sys.exit()
        *lines, self._typed = (self._typed + chunk).split(b"\n")
        for line in lines:
            command, *numbers = line.decode().split()
            answer = getattr(self, command)(*map(int, numbers))
            print(command, *numbers, *([] if answer is None else [answer]), flush=True)

    def open(self, *ports):
        for port in ports:
            udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            udp.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 8 << 20)
            udp.bind(("", port))
            self._open[port] = udp
            self._ready.register(udp, selectors.EVENT_READ, lambda port=port: self._receive(port))

    def close(self, *ports):
        for port in ports:
            udp = self._open.pop(port)
            self._ready.unregister(udp)
            udp.close()

    def keep(self, port):
        with open(f"{self._folder}/{port}", "wb") as file:
            for datagram in self._kept.get(port, []):
                file.write(struct.pack("!I", len(datagram)) + datagram)

    def count(self, port):
        return len(self._kept.get(port, []))

    def viewers(self, count):
        self._viewers = count

    def _receive(self, port):
        if port not in self._open:
            return  # Closed in this very round.
        datagram, sender = self._open[port].recvfrom(65536)
        self._kept.setdefault(port, []).append(datagram)
        if self._viewers is not None and datagram[1:2] == b"\xc8":
            self._open[port].sendto(_darwin(self._viewers), sender)


def _darwin(eyes):
    """The report of Darwin Streaming Server 6.0.3: RR without a block, SDES, APP `QTSS`."""
    ssrc = b"\x01\x02\x03\x04"
    receiver_report = b"\x80\xc9\x00\x01" + ssrc
    description = b"\x81\xca\x00\x06" + ssrc + b"\x01\x0eQTSS1700000000" + bytes(4)
    viewers = b"ey\x00\x0c" + struct.pack("!III", eyes, eyes, 0)
    app = b"\x80\xcc\x00\x08" + ssrc + b"QTSS" + struct.pack("!II", 0, 4) + viewers
    return receiver_report + description + app


if __name__ == "__main__":
    Edge(sys.argv[1], int(sys.argv[2])).run()
