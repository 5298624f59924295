"""The demo: one broadcast, one edge, and viewers who come and go."""

import os
import sys
import time

from lab import encoder
from lab.daemon import SHUTDOWN
from lab.edge import PORTS
from lab.player import Mplayer
from lab.full_testbed import FullTestbed
from lab.web import SITE, fetch
from lab.capture import Capture, is_run_of

_COLOURS = sys.stdout.isatty() and "NO_COLOR" not in os.environ
_BOLD, _GREEN, _RED, _DIM = "1", "32", "31", "2"


def paint(colour, text):
    """The text in a color, on a terminal."""
    return f"\x1b[{colour}m{text}\x1b[0m" if _COLOURS else text


def step(text):
    """Announces the next step."""
    print(f"\n{paint(_BOLD, text)}", flush=True)


def fact(text):
    """Prints an observation."""
    print(f"  {paint(_GREEN, '✓')} {text}", flush=True)


def quote(text):
    """Prints the output of a program."""
    for line in text.splitlines():
        print(f"    {paint(_DIM, line)}", flush=True)


def watch(testbed, viewer):
    """A viewer's player follows the link and plays."""
    player = Mplayer(testbed[viewer], f"{SITE}/news.smil")
    player.wait_for_play()
    quote("\n".join(player.program.said(r"^(Playing|VIDEO|AUDIO)")))
    fact(f"mplayer on {viewer} plays picture and sound from the edge.")
    testbed.daemon.wait_for("news/dss2", state="live")
    return player


def compare(testbed):
    """Compares the packets that the encoder sends with those that arrive at the edge."""
    sent = Capture(testbed["encoder"], "eth0", "udp and dst net 239.0.0.0/8")
    ports = f"{PORTS[0]}-{PORTS[-1]}"
    arrived = Capture(testbed["dss2"], "eth0", f"udp dst portrange {ports}")
    arrived.wait_for(lambda packets: {packet.target_port for packet in packets} == set(PORTS))
    arrived.stop()
    sent.stop()
    for sent_to, arrived_at in zip(encoder.PORTS, PORTS):
        same = is_run_of(arrived.payloads(arrived_at), sent.payloads(sent_to))
        assert same, f"what arrived at port {arrived_at} differs from what was sent"
    fact(f"{len(arrived.packets)} RTP and RTCP packets arrived as they were sent, byte for byte.")


def story(testbed):
    """Shows the life of a relay, twice."""
    step("The broadcast is on, and nobody watches.")
    fact(f"The encoder sends RTP to {testbed.encoder.group}; the origin hears it.")
    fact(f"Ports open at the edge: {testbed.edges['dss2'].open_ports() or 'none'}.")
    fact(f"Packets sent to the edge meanwhile: {testbed.forwarded()}.")

    step(f"A player asks for {SITE}/news.smil")
    answer = fetch(testbed["viewer"], "news.smil")
    quote(answer.body)
    assert answer.status == 200, f"relay.cgi answered {answer.status}"
    player = watch(testbed, "viewer")
    quote(testbed.daemon.table())

    step("What arrives at the edge is what the encoder sent.")
    compare(testbed)

    step("The viewer leaves.")
    rules = ", ".join(f"{name} = {value}" for name, value in SHUTDOWN.items())
    quote(f"(Here dynrelayd is more impatient than by default: {rules}.)")
    said = len(testbed.daemon.program.lines)
    player.leave()
    testbed.edges["dss2"].program.wait_for("closed")
    fact("The edge has closed its ports: each packet is refused now.")
    closed = testbed.daemon.wait_for("news/dss2", state="closed")
    quote("\n".join(testbed.daemon.program.lines[said:]))
    fact(f"The relay has closed by itself: {closed['reason']}, after {closed['refusals']} refusals.")
    fact(f"Packets sent to the edge while the encoder sends a hundred: {testbed.forwarded()}.")

    step("Another viewer comes.")
    watch(testbed, "guest").leave()
    fact("It all works again, and no server was restarted or reconfigured.")


def main():
    """Returns the exit status."""
    began = time.monotonic()
    step("Starting an encoder, an origin with dynrelayd and Apache, an edge and two viewers")
    try:
        testbed = FullTestbed()
        try:
            story(testbed)
        finally:
            testbed.end()
    except KeyboardInterrupt:
        print("\nStopped; everything is cleaned up.")
        return 130
    except (AssertionError, RuntimeError) as problem:
        print(f"\n{paint(_RED, '✗')} {problem}", file=sys.stderr)
        return 1
    step(f"Done in {time.monotonic() - began:.0f} s; everything is cleaned up.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
