#!/usr/bin/python3
"""Packs a codec that ffmpeg does not pack into RTP packets of 20 ms (RFC 3551), and sends them.

Usage: audio_sender.py gsm|dvi4 GROUP PORT COMMAND...

COMMAND prints GSM frames, or 16-bit samples at 8 kHz for DVI4.
"""

import socket
import struct
import subprocess
import sys

# Of each packet: what is read, and its payload type.
FORMATS = {"gsm": (33, 3), "dvi4": (320, 5)}
SAMPLES = 160

_STEPS = [int(7 * 1.1 ** index) for index in range(89)]
_INDEX = [-1, -1, -1, -1, 2, 4, 6, 8]


class Dvi4:
    """The ADPCM coder of RFC 3551, 4.5.1, with the state that each packet repeats."""

    def __init__(self):
        self.predicted = self.index = 0

    def encode(self, samples):
        """One packet's payload of 16-bit samples."""
        state = struct.pack("!hBB", self.predicted, self.index, 0)
        codes = [self._code(sample) for sample, in struct.iter_unpack("<h", samples)]
        return state + bytes(high << 4 | low for high, low in zip(codes[::2], codes[1::2]))

    def _code(self, sample):
        step, error = _STEPS[self.index], sample - self.predicted
        size = min(abs(error) * 4 // step, 7)
        change = step // 8 + size * step // 4
        self.predicted += -change if error < 0 else change
        self.predicted = max(-32768, min(32767, self.predicted))
        self.index = max(0, min(88, self.index + _INDEX[size]))
        return size | (8 if error < 0 else 0)


def send(codec, group, port, command):
    """Sends as the command prints, which is in real time."""
    size, payload_type = FORMATS[codec]
    coder = Dvi4()
    encode = coder.encode if codec == "dvi4" else bytes
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 4)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as source:
        number = 0
        while len(frame := source.stdout.read(size)) == size:
            stamp = number * SAMPLES & 0xFFFFFFFF
            header = struct.pack("!BBHII", 0x80, payload_type, number & 0xFFFF, stamp, 0x1234)
            out.sendto(header + encode(frame), (group, port))
            if number == 0:
                print("sends", codec, flush=True)
            number += 1


if __name__ == "__main__":
    send(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:])
