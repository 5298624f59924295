"""Refusals under the kernel's ICMP limits."""

import pytest

from lab.broadcast import RATE
from lab.light_testbed import DEFAULT_RULES
from lab.rtp import gaps, numbers, runs
from lab.web import Apache, fetch
from lab.capture import Capture

TO_EDGE = "udp and dst host dss2.example.net"

# The encoder's packets are the clock: this many packets of one stream pass between two probes. A
# probe waits a twentieth longer than the interval, and a busy machine adds to that.
PROBE_INTERVAL = RATE * 1.3


def reports_after_the_first_probe(packets, port):
    """The number of RTCP packets that the daemon sent among a flow's probes."""
    flow = [packet for packet in packets if packet.target_port in (port, port + 1)]
    rtp = [at for at, packet in enumerate(flow) if packet.target_port == port]
    full_rate = runs(flow[at].payload for at in rtp)[0]
    return sum(packet.target_port == port + 1 for packet in flow[rtp[full_rate] :])


@pytest.mark.long
def test_fifteen_of_sixteen_relays_die_at_once_and_close_while_one_plays_on(light_testbed):
    testbed = light_testbed(streams=16, shutdown={**DEFAULT_RULES, "errors": 3})
    testbed.watch()
    dead = dict(zip(testbed.streams[1:], testbed.ports[1:]))
    before = testbed.broadcast.mark()[1:]
    out = Capture(testbed["origin"], "eth0", TO_EDGE)
    testbed.edge.close(*dead.values())
    closed = testbed.broadcast.mark()[1:]
    for stream in dead:
        assert testbed.wait_for(stream, 180, state="closed")["reason"] == "no-viewers"
    assert [relay["stream"] for relay in testbed.daemon.relays()] == ["s01"]
    out.stop()

    slowest = 0
    for port, began, ended in zip(dead.values(), before, closed):
        full_rate, *later = runs(out.payloads(port))
        slowest = max(slowest, full_rate - (ended - began) % 65536)
        # From then on it sends single probes. A relay taken for alive by mistake sends for up to two
        # intervals. The first of the three errors was the refusal at full rate.
        assert len(later) >= 2
        assert max(later) <= 2 * PROBE_INTERVAL, (port, later)
        if max(later) == 1:
            assert reports_after_the_first_probe(out.packets, port) == 0
    # All are Suspect within seconds. Fifteen ports share six ICMP errors, and then one a second.
    assert slowest <= 20 * RATE
    print("packets until the last was suspect:", slowest)
    watched = testbed.edge.received(testbed.ports[0])
    assert len(watched) > 20 * RATE
    assert gaps(watched) == 0


def test_a_request_brings_a_suspect_relay_back_at_once(light_testbed):
    testbed = light_testbed(shutdown=DEFAULT_RULES)
    Apache(testbed["origin"])
    testbed.watch()
    testbed.edge.close(*testbed.ports)
    testbed.wait_for(state="suspect")

    out = Capture(testbed["origin"], "eth0", TO_EDGE)
    assert fetch(testbed["viewer"], "s01.smil").status == 200
    (asked,) = testbed.broadcast.mark()
    wanted = [(asked + step) % 65536 for step in range(1, RATE)]
    out.wait_for(lambda _: wanted[-1] in numbers(out.payloads(testbed.ports[0])))
    came = numbers(out.payloads(testbed.ports[0]))
    start = came.index(wanted[0])
    assert came[start : start + len(wanted)] == wanted, "full rate, though it is refused still"
    testbed.edge.open(*testbed.ports)
    testbed.wait_for(state="live")


def test_a_bookmark_brings_a_suspect_relay_back_within_two_probe_intervals(light_testbed):
    testbed = light_testbed(shutdown=DEFAULT_RULES)
    testbed.watch()
    testbed.edge.close(*testbed.ports)
    testbed.wait_for(state="suspect")
    old = testbed.edge.count(testbed.ports[0])

    testbed.edge.open(*testbed.ports)
    (opened,) = testbed.broadcast.mark()
    testbed.wait_for(state="live")
    testbed.wait_for_packets(RATE)
    came = testbed.edge.received(testbed.ports[0])[old:]
    *probes, full_rate = runs(came)
    assert full_rate >= RATE
    assert probes == [1]
    back = numbers(came)[1]
    assert (back - opened) % 65536 <= 2 * PROBE_INTERVAL
    print("packets until full rate:", (back - opened) % 65536)
