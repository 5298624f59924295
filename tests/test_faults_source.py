"""Faults of the encoder and its cable pass through unchanged, or stop at the origin."""

import random
import struct
from collections import Counter

import pytest

from lab.broadcast import PORT, RATE
from lab.rtp import gaps, runs
from lab.capture import Capture

# An edge gets only RTCP that begins with a sender report.
SENDER_REPORT = struct.pack("!BBHI5I", 0x80, 200, 6, 7, 1, 2, 3, 4, 5)
RECEIVER_REPORT = bytes([0x80, 201, 0, 1, 0, 0, 0, 7])
GOODBYE = bytes([0x81, 203, 0, 1, 0, 0, 0, 7])


def odd_datagrams():
    """Datagrams of every size and any content."""
    dice = random.Random(7)
    sizes = [0, 1, 2, 3, 4, 11, 12, 13, 100, 1471, 1472, 1473, 1500, 1501, 9000, 65506, 65507]
    noise = [dice.randbytes(size) for size in sizes]
    # These headers promise sources, an extension or padding that are missing.
    lies = [bytes([first, 96]) + dice.randbytes(10) for first in (0x8F, 0x90, 0xA0, 0xBF)]
    small = [dice.randbytes(dice.randrange(0, 60)) for _ in range(200)]
    return noise + lies + small + [bytes(12), bytes(1200), b"\xff" * 1200]


def sent_raw(testbed, port, datagrams):
    """Sends datagrams to the stream's group."""
    for datagram in datagrams:
        testbed.broadcast.tell("raw", port, datagram.hex())


def test_datagrams_of_any_size_and_content_pass_unchanged(light_testbed):
    testbed = light_testbed()
    testbed.watch()
    testbed.broadcast.tell("pause")
    rtp, rtcp = testbed.ports[0], testbed.ports[0] + 1
    testbed.wait_until_quiet()
    before = [len(testbed.edge.received(port)) for port in (rtp, rtcp)]

    odd = odd_datagrams()
    sent_raw(testbed, PORT, odd)
    damaged = [SENDER_REPORT[:length] for length in range(28)]
    reports = [SENDER_REPORT, SENDER_REPORT + GOODBYE, SENDER_REPORT + bytes(60_000)]
    others = [RECEIVER_REPORT, GOODBYE, RECEIVER_REPORT + SENDER_REPORT, *damaged, *odd[4:12]]
    sent_raw(testbed, PORT + 1, [*others, *reports, *others])

    testbed.wait_for_total(rtp, before[0] + len(odd))
    testbed.wait_for_total(rtcp, before[1] + len(reports))
    testbed.broadcast.tell("resume")
    testbed.wait_for_packets(RATE)
    assert testbed.edge.received(rtp)[before[0] :][: len(odd)] == odd
    assert testbed.edge.received(rtcp)[before[1] :][: len(reports)] == reports
    assert testbed.wait_for(state="live")


def stranger_sends(testbed, datagram, count):
    """Another sender on the studio's cable sends to the stream's group."""
    encoder = testbed["encoder"]
    encoder.run(["ip", "address", "add", "10.9.0.3/24", "dev", "eth0"])
    script = (
        "import socket; out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); "
        "out.bind(('10.9.0.3', 0)); "
        f"[out.sendto({datagram!r}, ('239.1.1.1', {PORT})) for _ in range({count})]"
    )
    encoder.run(["/usr/bin/python3", "-c", script])


@pytest.mark.parametrize("filtered", [True, False], ids=["filtered", "unfiltered"])
def test_a_source_filter_keeps_other_senders_out(light_testbed, filtered):
    rule = "a=source-filter: incl IN IP4 239.1.1.1 10.9.0.2\n"
    testbed = light_testbed(more=rule if filtered else "")
    testbed.watch()
    stranger_sends(testbed, b"intruder", 20)
    testbed.wait_for_packets(RATE)
    came = testbed.edge.received(testbed.ports[0])
    assert came.count(b"intruder") == (0 if filtered else 20), "without a filter anybody may send"
    assert gaps([packet for packet in came if packet != b"intruder"]) == 0


def test_a_relay_goes_on_when_the_encoder_restarts_with_a_new_ssrc(light_testbed):
    testbed = light_testbed()
    testbed.watch()
    began = testbed.wait_for()["started"]
    for _ in range(3):
        testbed.broadcast.tell("restart")
        testbed.wait_for_packets(RATE)
    assert testbed.wait_for(state="live")["started"] == began
    came = testbed.edge.received(testbed.ports[0])
    assert len({packet[8:12] for packet in came}) == 4
    assert len(runs(came)) == 4, "nothing is lost but the encoder's own"
    assert testbed.show()["flows"][0]["ssrc_changes"] == 3


def test_a_relay_survives_a_silence_shorter_than_source_silence(light_testbed):
    testbed = light_testbed(shutdown={"source_silence": "12s"})
    testbed.watch()
    began = testbed.wait_for()["started"]
    for _ in range(2):
        testbed.broadcast.tell("pause")
        testbed.daemon.wait_until(
            lambda: any("silence" in one for one in testbed.show()["closes"])
            and testbed.show()["flows"][0]["idle_ms"] > 5000,
            "the silence should be seen",
        )
        assert "if the source stays silent" in testbed.daemon.run("show", "s01")
        testbed.broadcast.tell("resume")
        testbed.wait_for_packets(RATE)
    assert testbed.wait_for(state="live")["started"] == began
    assert gaps(testbed.edge.received(testbed.ports[0])) == 0


def disturb(testbed):
    """Disturbs the encoder's cable: by netem if the kernel has it, otherwise by the sender.

    Returns true if packets still have an order: netem's arrive on several CPUs at once.
    """
    netem = "delay 15ms 15ms loss 5% duplicate 5% reorder 10% 50%".split()
    command = ["tc", "qdisc", "add", "dev", "eth0", "root", "netem", *netem]
    if testbed["encoder"].run(command, check=False).returncode == 0:
        return False
    testbed.broadcast.tell("disturb", 7)
    return True


def test_jitter_loss_reordering_and_duplicates_pass_unchanged(light_testbed):
    testbed = light_testbed()
    testbed.watch()
    arriving = Capture(testbed["origin"], "studio", "udp and dst net 239.0.0.0/8")
    in_order = disturb(testbed)
    testbed.wait_for_packets(15 * RATE)
    arriving.stop()
    arrived = arriving.payloads(PORT)
    testbed.wait_for_packets(RATE)
    came = testbed.edge.received(testbed.ports[0])
    start = came.index(arrived[0])
    if in_order:
        assert came[start : start + len(arrived)] == arrived
    assert Counter(arrived) <= Counter(came)
    assert len(set(arrived)) < len(arrived), "some came twice"
    assert gaps(arrived) > RATE, "some were lost or late"
    assert testbed.wait_for(state="live")
