"""Links, routes, addresses and machines that fail, and come back."""

import signal

import pytest

from lab.broadcast import RATE
from lab.rtp import gaps


def ip(host, words):
    """Runs ip(8) on a host."""
    return host.run(["ip", *words.split()])


def default_route(scene):
    """The origin's way to everybody else is there again."""
    ip(scene["origin"], "route add default via 192.0.2.126")


class Cable:
    """The edge's cable is pulled out of the router.

    Nobody is told: a Linux router without a route counts each ICMP error twice against its limit,
    and so sends next to none. The packets go out all the while.
    """

    seen = False

    def begin(self, scene):
        ip(scene.network.router, "link set dss2 down")

    def end(self, scene):
        ip(scene.network.router, "link set dss2 up")


class Arp:
    """The edge's address answers no ARP."""

    seen = True

    def begin(self, scene):
        ip(scene["dss2"], "link set eth0 arp off")
        ip(scene.network.router, "neighbour flush dev dss2")

    def end(self, scene):
        ip(scene["dss2"], "link set eth0 arp on")


class Route:
    """The origin loses its route."""

    seen = True

    def begin(self, scene):
        ip(scene["origin"], "route del default")

    def end(self, scene):
        default_route(scene)


class Interface:
    """The origin's interface towards the edge goes down."""

    seen = True

    def begin(self, scene):
        ip(scene["origin"], "link set eth0 down")

    def end(self, scene):
        ip(scene["origin"], "link set eth0 up")
        default_route(scene)


FAULTS = [Cable(), Arp(), Route(), Interface()]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__.lower())
def test_what_fails_between_origin_and_edge_and_returns_finds_the_relay_there(rehearsal, fault):
    scene = rehearsal(shutdown={"errors": 1000})
    scene.watch()
    began = scene.wait_for()["started"]
    fault.begin(scene)
    if fault.seen:
        scene.wait_for(state="suspect")
    scene.let_pass(8 * RATE)
    fault.end(scene)
    scene.wait_for_packets(3 * RATE)
    assert scene.wait_for(state="live")["started"] == began, "it is the same relay"


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__.lower())
def test_a_short_outage_costs_nothing_but_itself(rehearsal, fault):
    scene = rehearsal(shutdown={"grace": "20s"})
    scene.watch()
    fault.begin(scene)
    scene.let_pass(4 * RATE)
    fault.end(scene)
    before = scene.edge.count(scene.ports[0])
    scene.wait_for_packets(3 * RATE)
    came = scene.edge.received(scene.ports[0])[before:]
    # ARP may hold back what it found no address for, and lose the first of it.
    assert gaps(came[RATE:]) == 0
    assert scene.wait_for()["state"] == "live"


@pytest.mark.parametrize("fault", [Arp(), Route()], ids=["arp", "route"])
def test_a_relay_to_an_edge_that_stays_away_closes_and_says_that(rehearsal, fault):
    scene = rehearsal(shutdown={"errors": 3})
    scene.watch()
    fault.begin(scene)
    closed = scene.wait_for(state="closed")
    assert closed["reason"] == "edge-unreachable"
    assert "host or the way to it went down" in scene.daemon.run("show", "s01")


def test_an_edge_that_reboots_is_found_without_viewers_and_taken_up_again(rehearsal):
    scene = rehearsal()
    scene.watch()
    scene.edge.program.stop(signal.SIGKILL)
    ip(scene["dss2"], "link set eth0 down")
    scene.let_pass(4 * RATE)
    ip(scene["dss2"], "link set eth0 up")
    ip(scene["dss2"], "route add default via 198.51.100.126")
    scene.edge.start()
    closed = scene.wait_for(state="closed")
    assert closed["reason"] in ("no-viewers", "edge-unreachable")

    scene.watch()
    scene.wait_for_packets(RATE)


def test_an_edge_that_is_replaced_while_its_viewers_wait_goes_on(rehearsal):
    """Another machine takes over address and ports; its MAC address is its own."""
    scene = rehearsal(shutdown={"errors": 1000})
    scene.watch()
    scene.edge.program.stop(signal.SIGKILL)
    scene.wait_for(state="suspect")
    ip(scene["dss2"], "link set eth0 down")
    ip(scene["dss2"], "link set eth0 address 02:00:00:00:00:07 up")
    ip(scene["dss2"], "route add default via 198.51.100.126")
    scene.edge.start()
    scene.edge.open(*scene.ports)
    scene.wait_for(state="live")
    scene.wait_for_packets(RATE)


def group_members(scene):
    """The groups that the origin's studio interface is a member of."""
    return ip(scene["origin"], "maddress show dev studio").stdout


def test_the_origin_s_own_interface_goes_down_and_comes_back(rehearsal):
    scene = rehearsal(shutdown={"source_silence": "30s"})
    scene.watch()
    began = scene.wait_for()["started"]
    for _ in range(2):
        ip(scene["origin"], "link set studio down")
        stopped = scene.edge.count(scene.ports[0])
        scene.broadcast.mark()
        scene.daemon.wait_until(
            lambda: scene.show()["flows"][0]["idle_ms"] > 3000, "the source should be silent"
        )
        assert scene.edge.count(scene.ports[0]) <= stopped + 2
        ip(scene["origin"], "link set studio up")
        scene.wait_for_packets(RATE)
        assert "239.1.1.1" in group_members(scene)
    assert scene.wait_for(state="live")["started"] == began


def test_the_origin_s_own_interface_is_deleted_and_made_anew_under_its_name(rehearsal):
    scene = rehearsal(shutdown={"source_silence": "30s"})
    scene.watch()
    began = scene.wait_for()["started"]
    for _ in range(2):
        ip(scene["origin"], "link del studio")
        scene.daemon.wait_until(
            lambda: scene.show()["flows"][0]["idle_ms"] > 3000, "the source should be silent"
        )
        scene.network.join_studio()
        scene.wait_for_packets(RATE)
        assert "239.1.1.1" in group_members(scene)
    assert scene.wait_for(state="live")["started"] == began
    assert scene.daemon.program.said("joined again")


def test_an_interface_that_stays_away_ends_the_source(rehearsal):
    scene = rehearsal()
    scene.watch()
    ip(scene["origin"], "link del studio")
    assert scene.wait_for(state="closed")["reason"] == "source-ended"
