"""RTP packets as they were captured (RFC 3550)."""

import struct


def gaps(packets):
    """How often one packet of a flow does not follow on the one before it."""
    numbers = [struct.unpack("!H", packet[2:4])[0] for packet in packets]
    steps = [(later - earlier) % 65536 for earlier, later in zip(numbers, numbers[1:])]
    return sum(step != 1 for step in steps)
