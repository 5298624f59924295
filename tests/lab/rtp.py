"""Sequence numbers of captured RTP packets (RFC 3550)."""

import struct


def gaps(packets):
    """The number of breaks in the sequence numbers of a flow."""
    return max(len(runs(packets)) - 1, 0)


def numbers(packets):
    """The sequence numbers of a flow's packets."""
    return [struct.unpack("!H", packet[2:4])[0] for packet in packets]


def runs(packets):
    """The lengths of the runs without a break in the sequence numbers."""
    lengths, last = [], None
    for number in numbers(packets):
        if last is None or (number - last) % 65536 != 1:
            lengths.append(0)
        lengths[-1] += 1
        last = number
    return lengths
