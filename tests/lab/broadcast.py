"""A light broadcast of many streams: RTP packets without pictures."""

from pathlib import Path

PORT = 5004
RATE = 50

_SDP = """v=0
o=- 1 1 IN IP4 10.9.0.2
s=A test
c=IN IP4 {address}
t=0 0
{more}m=video {port} RTP/AVP 96
a=rtpmap:96 H264/90000
"""


def sdp(address, port, more=""):
    """The SDP file of a stream at an address and port, with the further lines `more`."""
    return _SDP.format(address=address, port=port, more=more)


class Broadcast:
    """rtp_sender.py on `host`: it sends each of the `streams` at `RATE` packets a second, in step.

    Each stream has its own group. With `to`, the only stream goes to that address.
    """

    def __init__(self, host, streams=1, to=None):
        groups = [f"239.1.1.{number}" for number in range(1, streams + 1)]
        self.groups = [to] if to else groups
        script = host.install(Path(__file__).with_name("rtp_sender.py"), "/run/rtp_sender.py")
        targets = [f"{group}:{PORT}" for group in self.groups]
        self.program = host.start("sender", ["/usr/bin/python3", script, str(RATE), *targets])
        self.mark()

    def tell(self, *words):
        """Gives a command; returns the last sequence number of each stream."""
        before = len(self.program.lines)
        self.program.type(" ".join(map(str, words)) + "\n")
        answer = self.program.wait_for(f"^{words[0]} ", start=before)
        return [int(number) for number in answer.split()[1:]]

    def mark(self):
        """The last sequence number of each stream."""
        return self.tell("mark")
