#!/usr/bin/python3
"""Encoders that send the same packets, fifty a second, each from its own address.

Usage: duplicate_encoders.py TARGET PORT ADDRESS…

A line on standard input says which of them send from now on (`0 1`, `1`, or none). The answer is
`sending` with the last sequence number.
"""

import random
import select
import socket
import struct
import sys
import time

RATE = 50


def run(target, port, addresses):
    """Sends until standard input ends."""
    encoders = []
    for address in addresses:
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind((address, 0))
        encoders.append(udp)
    sending, number, due = [], 0, time.monotonic()
    content = random.Random(7)
    while True:
        while (left := due - time.monotonic()) > 0:
            if select.select([sys.stdin], [], [], left)[0]:
                line = sys.stdin.readline()
                if not line:
                    return
                sending = [int(word) for word in line.split()]
                print("sending", number, flush=True)
        due += 1 / RATE
        if sending:
            number += 1
            packet = struct.pack("!BBHII", 0x80, 96, number % 65536, number * 1800, 7) + content.randbytes(188)
            for one in sending:
                encoders[one].sendto(packet, (target, port))


if __name__ == "__main__":
    run(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
