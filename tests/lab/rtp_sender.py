#!/usr/bin/python3
"""Broadcasts RTP to many groups in step. Sixteen streams need little CPU.

Usage: rtp_sender.py RATE GROUP:PORT…

Each stream has RATE packets a second of 200 bytes on its port, and a sender report a second on the
next port. It reads commands from standard input and answers each by a line that repeats its first
word and has the last sequence number of each stream:

mark         only answers
pause        sends nothing until `resume`
resume
restart      goes on with new SSRCs and sequence numbers, as a restarted encoder does
disturb SEED delays, loses, doubles and reorders packets from now on
raw PORT HEX sends these bytes to the first stream's group at PORT
"""

import os
import random
import select
import socket
import struct
import sys
import time


class Stream:
    """One RTP stream with its sender reports."""

    def __init__(self, out, group, port):
        self._out = out
        self.group = group
        self._port = port
        self.restart()

    def restart(self):
        """Begins with a new SSRC and sequence."""
        self._ssrc, self.sequence = random.getrandbits(32), random.getrandbits(16)
        self._sent = 0

    def packet(self):
        """The next RTP packet."""
        self.sequence = (self.sequence + 1) % 65536
        self._sent += 1
        stamp = self._sent * 1800 % 2**32
        return struct.pack("!BBHII", 0x80, 96, self.sequence, stamp, self._ssrc) + os.urandom(188)

    def report(self):
        """Sends a sender report (RFC 3550, 6.4.1)."""
        numbers = (int(time.time()) + 2208988800, 0, self._sent * 1800 % 2**32, self._sent, 0)
        self._send(struct.pack("!BBHI5I", 0x80, 200, 6, self._ssrc, *numbers), self._port + 1)

    def send(self, packet):
        """Sends a packet on the RTP port."""
        self._send(packet, self._port)

    def _send(self, packet, port):
        try:
            self._out.sendto(packet, (self.group, port))
        except OSError:
            pass  # The cable is out: a broadcast doesn't care.


class Disturbance:
    """A bad link: it loses, doubles and delays packets. A seed decides which."""

    def __init__(self, seed):
        self._dice = random.Random(seed)
        self._late = []

    def pass_on(self, packet):
        """The packets that leave the link when this packet enters it."""
        due = [(left - 1, held) for left, held in self._late]
        self._late = [(left, held) for left, held in due if left > 0]
        out = [held for left, held in due if left == 0]
        lot = self._dice.random()
        if lot < 0.1:
            self._late.append((self._dice.randint(1, 5), packet))
        elif lot >= 0.15:
            out += [packet] * (2 if lot < 0.2 else 1)
        return out

    def jitter(self):
        """The delay of a packet, in seconds."""
        return self._dice.random() * 0.03


class Broadcast:
    """All streams, and the commands for them."""

    def __init__(self, rate, targets):
        self._out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 4)
        self._streams = [Stream(self._out, *target) for target in targets]
        self._rate = rate
        self._ticks = 0
        self._paused = False
        self._disturbance = None

    def tick(self):
        """Sends each stream's next packet."""
        self._ticks += 1
        if self._paused:
            return
        for stream in self._streams:
            packet = stream.packet()
            passed = self._disturbance.pass_on(packet) if self._disturbance else [packet]
            for one in passed:
                stream.send(one)
            if self._ticks % self._rate == 1:
                stream.report()

    def obey(self, command, *words):
        """Carries out a command."""
        if command == "pause":
            self._paused = True
        elif command == "resume":
            self._paused = False
        elif command == "restart":
            for stream in self._streams:
                stream.restart()
        elif command == "disturb":
            self._disturbance = Disturbance(int(words[0]))
        elif command == "raw":
            datagram = bytes.fromhex(words[1]) if len(words) > 1 else b""
            self._out.sendto(datagram, (self._streams[0].group, int(words[0])))
            # The daemon's receive buffer holds only a few of the largest datagrams.
            time.sleep(0.005)
        print(command, *(stream.sequence for stream in self._streams), flush=True)

    def run(self):
        """Sends until standard input ends."""
        due, typed = time.monotonic(), b""
        while True:
            jitter = self._disturbance.jitter() if self._disturbance else 0
            while (left := due + jitter - time.monotonic()) > 0:
                if select.select([0], [], [], left)[0]:
                    chunk = os.read(0, 1 << 20)
                    if not chunk:
                        return
                    *lines, typed = (typed + chunk).split(b"\n")
                    for line in lines:
                        self.obey(*line.decode().split())
            self.tick()
            due += 1 / self._rate


if __name__ == "__main__":
    pairs = [target.split(":") for target in sys.argv[2:]]
    Broadcast(int(sys.argv[1]), [(group, int(port)) for group, port in pairs]).run()
