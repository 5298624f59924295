"""Edges behind firewalls, and edges that report their viewers."""

import pytest

from lab.broadcast import RATE
from lab.rtp import gaps

UNREACHABLE = "icmp type destination-unreachable"


def firewall(testbed, rule):
    """Adds a firewall rule to the router between origin and edge."""
    router = testbed.network.router
    router.run(["nft", "add", "table", "ip", "wall"])
    chain = "{ type filter hook forward priority 0; }"
    router.run(["nft", "add", "chain", "ip", "wall", "forward", chain])
    router.run(["nft", "add", "rule", "ip", "wall", "forward", *rule.split()])


def silent_edges(testbed):
    """The findings of `dynrelay check` about edges."""
    return [one["what"] for one in testbed.daemon.check()["findings"] if one["about"] == "edges"]


@pytest.mark.long
def test_a_relay_runs_on_where_icmp_is_dropped_and_show_and_check_say_so(light_testbed):
    testbed = light_testbed()
    firewall(testbed, f"{UNREACHABLE} counter drop")
    testbed.watch()
    assert not testbed.show()["answers"]
    testbed.edge.close(*testbed.ports)
    sent = testbed.wait_for()["packets"]
    # Three refusals, one a second, would close the relay in a fifth of this.
    testbed.daemon.wait_until(
        lambda: testbed.wait_for()["packets"] > sent + 15 * RATE, "packets should go out on and on"
    )
    assert testbed.wait_for()["state"] == "live"
    assert testbed.wait_for()["refusals"] == 0

    said = testbed.daemon.run("show", "s01")
    assert "No refusal has ever come back from 198.51.100.7" in said
    assert "let ICMP destination-unreachable through" in " ".join(said.split())
    (finding,) = silent_edges(testbed)
    assert finding.startswith("dss2 (198.51.100.7) has never sent back a refusal")


def test_a_lease_closes_the_relay_where_icmp_is_dropped(light_testbed):
    testbed = light_testbed(shutdown={"lease": "6s"})
    firewall(testbed, f"{UNREACHABLE} counter drop")
    testbed.watch()
    (wait,) = [one["seconds"] for one in testbed.show()["closes"] if "seconds" in one]
    assert wait <= 6
    testbed.edge.close(*testbed.ports)
    closed = testbed.wait_for(state="closed")
    assert closed["reason"] == "lease-expired"
    assert closed["refusals"] == 0
    assert silent_edges(testbed) == [], "a lease is set"


def test_check_finds_nothing_wrong_with_an_edge_that_refuses(light_testbed):
    testbed = light_testbed(shutdown={"errors": 1000})
    testbed.watch()
    testbed.edge.close(*testbed.ports)
    testbed.wait_for(state="suspect")
    detail = testbed.show()
    assert detail["answers"]
    (prospect,) = detail["closes"]
    assert prospect["reason"] == "no-viewers"
    assert 990 <= prospect["refusals"] < 1000
    said = testbed.daemon.run("show", "s01")
    assert "as no-viewers after 99" in said
    assert "ever" not in said
    assert silent_edges(testbed) == []


def test_a_relay_to_open_ports_closes_when_the_edge_reports_no_viewers(light_testbed):
    """Darwin Streaming Server leaks references, so its ports may stay open for ever."""
    testbed = light_testbed(shutdown={"no_viewers": "5s"})
    testbed.edge.report_viewers(1)
    testbed.watch()
    testbed.wait_for(viewers=1)
    before = testbed.edge.count(testbed.ports[0])

    testbed.edge.report_viewers(0)
    testbed.wait_for(viewers=0)
    assert "as no-viewers in" in testbed.daemon.run("show", "s01")
    assert testbed.edge.count(testbed.ports[0]) > before, "open and relayed to"
    closed = testbed.wait_for(state="closed")
    assert (closed["reason"], closed["refusals"]) == ("no-viewers", 0)


@pytest.mark.long
def test_a_relay_never_closes_while_the_edge_reports_a_viewer(light_testbed):
    testbed = light_testbed(shutdown={"no_viewers": "2s", "lease": "3s"})
    testbed.edge.report_viewers(1)
    testbed.watch()
    # Ten times as long as either rule would wait.
    testbed.wait_for_packets(30 * RATE)
    assert testbed.wait_for()["state"] == "live"
    assert gaps(testbed.edge.received(testbed.ports[0])) == 0


def test_a_viewer_who_returns_in_time_keeps_the_relay(light_testbed):
    testbed = light_testbed(shutdown={"no_viewers": "6s"})
    testbed.edge.report_viewers(1)
    testbed.watch()
    for _ in range(3):
        testbed.edge.report_viewers(0)
        testbed.wait_for(viewers=0)
        testbed.wait_for_packets(3 * RATE)
        testbed.edge.report_viewers(1)
        testbed.wait_for(viewers=1)
    assert gaps(testbed.edge.received(testbed.ports[0])) == 0
