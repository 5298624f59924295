"""Links, routes, addresses and machines fail and come back."""

import signal

import pytest

from lab.broadcast import RATE
from lab.rtp import gaps


def ip(host, words):
    """Runs ip(8) on a host."""
    return host.run(["ip", *words.split()])


def default_route(testbed):
    """Restores the origin's default route."""
    ip(testbed["origin"], "route add default via 192.0.2.126")


class Cable:
    """Somebody pulls the edge's cable out of the router.

    The origin does not notice: a Linux router without a route counts each ICMP error twice against
    its limit, and so sends almost none.
    """

    seen = False

    def begin(self, testbed):
        ip(testbed.network.router, "link set dss2 down")

    def end(self, testbed):
        ip(testbed.network.router, "link set dss2 up")


class Arp:
    """The edge's address answers no ARP."""

    seen = True

    def begin(self, testbed):
        ip(testbed["dss2"], "link set eth0 arp off")
        ip(testbed.network.router, "neighbour flush dev dss2")

    def end(self, testbed):
        ip(testbed["dss2"], "link set eth0 arp on")


class Route:
    """The origin loses its route."""

    seen = True

    def begin(self, testbed):
        ip(testbed["origin"], "route del default")

    def end(self, testbed):
        default_route(testbed)


class Interface:
    """The origin's interface towards the edge goes down."""

    seen = True

    def begin(self, testbed):
        ip(testbed["origin"], "link set eth0 down")

    def end(self, testbed):
        ip(testbed["origin"], "link set eth0 up")
        default_route(testbed)


FAULTS = [Cable(), Arp(), Route(), Interface()]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__.lower())
def test_a_relay_survives_a_long_outage_between_origin_and_edge(light_testbed, fault):
    testbed = light_testbed(shutdown={"errors": 1000})
    testbed.watch()
    began = testbed.wait_for()["started"]
    fault.begin(testbed)
    if fault.seen:
        testbed.wait_for(state="suspect")
    testbed.wait_while_sending(8 * RATE)
    fault.end(testbed)
    testbed.wait_for_packets(3 * RATE)
    assert testbed.wait_for(state="live")["started"] == began, "it is the same relay"


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__.lower())
def test_a_relay_stays_live_through_a_short_outage(light_testbed, fault):
    testbed = light_testbed(shutdown={"grace": "20s"})
    testbed.watch()
    fault.begin(testbed)
    testbed.wait_while_sending(4 * RATE)
    fault.end(testbed)
    before = testbed.edge.count(testbed.ports[0])
    testbed.wait_for_packets(3 * RATE)
    came = testbed.edge.received(testbed.ports[0])[before:]
    # While ARP has no answer, the kernel queues packets and drops the first of them.
    assert gaps(came[RATE:]) == 0
    assert testbed.wait_for()["state"] == "live"


@pytest.mark.parametrize("fault", [Arp(), Route()], ids=["arp", "route"])
def test_a_relay_closes_as_edge_unreachable_when_the_edge_stays_away(light_testbed, fault):
    testbed = light_testbed(shutdown={"errors": 3})
    testbed.watch()
    fault.begin(testbed)
    closed = testbed.wait_for(state="closed")
    assert closed["reason"] == "edge-unreachable"
    assert "host or the way to it went down" in testbed.daemon.run("show", "s01")


@pytest.mark.parametrize("kind", ["admin-prohibited", "host-prohibited"])
def test_a_relay_that_a_firewall_rejects_is_never_live_and_names_the_firewall(light_testbed, kind):
    testbed = light_testbed(shutdown={"errors": 3, "grace": "4s"})
    reject = "add table ip t; add chain ip t in { type filter hook input priority 0; }; "
    reject += f"add rule ip t in udp dport 1024-65535 reject with icmp type {kind}"
    testbed["dss2"].run(["nft", reject])
    testbed.daemon.run("start", "s01")
    closed = testbed.wait_for(state="closed")
    assert closed["reason"] == "edge-firewalled"
    assert not testbed.daemon.program.said("the relay is live")
    assert "firewall on the way rejects" in testbed.daemon.run("show", "s01")


def test_a_relay_closes_when_the_edge_reboots_and_starts_again(light_testbed):
    testbed = light_testbed()
    testbed.watch()
    testbed.edge.program.stop(signal.SIGKILL)
    ip(testbed["dss2"], "link set eth0 down")
    testbed.wait_while_sending(4 * RATE)
    ip(testbed["dss2"], "link set eth0 up")
    ip(testbed["dss2"], "route add default via 198.51.100.126")
    testbed.edge.start()
    closed = testbed.wait_for(state="closed")
    assert closed["reason"] in ("no-viewers", "edge-unreachable")

    testbed.watch()
    testbed.wait_for_packets(RATE)


def test_a_relay_goes_on_to_a_machine_that_replaces_the_edge(light_testbed):
    """Another machine takes over address and ports, with another MAC address."""
    testbed = light_testbed(shutdown={"errors": 1000})
    testbed.watch()
    testbed.edge.program.stop(signal.SIGKILL)
    testbed.wait_for(state="suspect")
    ip(testbed["dss2"], "link set eth0 down")
    ip(testbed["dss2"], "link set eth0 address 02:00:00:00:00:07 up")
    ip(testbed["dss2"], "route add default via 198.51.100.126")
    testbed.edge.start()
    testbed.edge.open(*testbed.ports)
    testbed.wait_for(state="live")
    testbed.wait_for_packets(RATE)


def group_members(testbed):
    """The multicast groups of the origin's studio interface."""
    return ip(testbed["origin"], "maddress show dev studio").stdout


def test_a_relay_survives_while_the_origins_interface_is_down(light_testbed):
    testbed = light_testbed(shutdown={"source_silence": "30s"})
    testbed.watch()
    began = testbed.wait_for()["started"]
    for _ in range(2):
        ip(testbed["origin"], "link set studio down")
        stopped = testbed.edge.count(testbed.ports[0])
        testbed.broadcast.mark()
        testbed.daemon.wait_until(
            lambda: testbed.show()["flows"][0]["idle_ms"] > 3000, "the source should be silent"
        )
        assert testbed.edge.count(testbed.ports[0]) <= stopped + 2
        ip(testbed["origin"], "link set studio up")
        testbed.wait_for_packets(RATE)
        assert "239.1.1.1" in group_members(testbed)
    assert testbed.wait_for(state="live")["started"] == began


def test_a_relay_survives_when_the_origins_interface_is_deleted_and_recreated(light_testbed):
    testbed = light_testbed(shutdown={"source_silence": "30s"})
    testbed.watch()
    began = testbed.wait_for()["started"]
    for _ in range(2):
        ip(testbed["origin"], "link del studio")
        testbed.daemon.wait_until(
            lambda: testbed.show()["flows"][0]["idle_ms"] > 3000, "the source should be silent"
        )
        testbed.network.join_studio()
        testbed.wait_for_packets(RATE)
        assert "239.1.1.1" in group_members(testbed)
    assert testbed.wait_for(state="live")["started"] == began
    assert testbed.daemon.program.said("joined again")


def test_a_relay_closes_as_source_ended_when_the_interface_stays_away(light_testbed):
    testbed = light_testbed()
    testbed.watch()
    ip(testbed["origin"], "link del studio")
    assert testbed.wait_for(state="closed")["reason"] == "source-ended"
