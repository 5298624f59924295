"""What an edge says or keeps to itself: firewalls, and servers that report their viewers."""

import pytest

from lab.broadcast import RATE
from lab.rtp import gaps

UNREACHABLE = "icmp type destination-unreachable"


def firewall(scene, rule):
    """The router between origin and edge has this rule from now on."""
    router = scene.network.router
    router.run(["nft", "add", "table", "ip", "wall"])
    chain = "{ type filter hook forward priority 0; }"
    router.run(["nft", "add", "chain", "ip", "wall", "forward", chain])
    router.run(["nft", "add", "rule", "ip", "wall", "forward", *rule.split()])


def silent_edges(scene):
    """What `dynrelay check` says of edges."""
    return [one["what"] for one in scene.daemon.check()["findings"] if one["about"] == "edges"]


@pytest.mark.long
def test_where_icmp_is_dropped_the_relay_runs_on_and_show_and_check_say_so(rehearsal):
    scene = rehearsal()
    firewall(scene, f"{UNREACHABLE} counter drop")
    scene.watch()
    assert not scene.show()["answers"]
    scene.edge.close(*scene.ports)
    sent = scene.wait_for()["packets"]
    # Fifteen times what closes a relay that is refused once a second.
    scene.daemon.wait_until(
        lambda: scene.wait_for()["packets"] > sent + 15 * RATE, "packets should go out on and on"
    )
    assert scene.wait_for()["state"] == "live"
    assert scene.wait_for()["refusals"] == 0

    said = scene.daemon.run("show", "s01")
    assert "No refusal has ever come back from 198.51.100.7" in said
    assert "let ICMP destination-unreachable through" in " ".join(said.split())
    (finding,) = silent_edges(scene)
    assert finding.startswith("dss2 (198.51.100.7) has never sent back a refusal")


def test_where_icmp_is_dropped_a_lease_closes_the_relay(rehearsal):
    scene = rehearsal(shutdown={"lease": "6s"})
    firewall(scene, f"{UNREACHABLE} counter drop")
    scene.watch()
    (wait,) = [one["seconds"] for one in scene.show()["closes"] if "seconds" in one]
    assert wait <= 6
    scene.edge.close(*scene.ports)
    closed = scene.wait_for(state="closed")
    assert closed["reason"] == "lease-expired"
    assert closed["refusals"] == 0
    assert silent_edges(scene) == [], "a lease is set"


def test_an_edge_that_refuses_is_no_matter_for_check(rehearsal):
    scene = rehearsal(shutdown={"errors": 1000})
    scene.watch()
    scene.edge.close(*scene.ports)
    scene.wait_for(state="suspect")
    detail = scene.show()
    assert detail["answers"]
    (prospect,) = detail["closes"]
    assert prospect["reason"] == "no-viewers"
    assert 990 <= prospect["refusals"] < 1000
    said = scene.daemon.run("show", "s01")
    assert "as no-viewers after 99" in said
    assert "ever" not in said
    assert silent_edges(scene) == []


def test_ports_leaked_open_with_nobody_watching_close_the_relay(rehearsal):
    """Darwin Streaming Server leaks references: its ports may never close again."""
    scene = rehearsal(shutdown={"no_viewers": "5s"})
    scene.edge.report_viewers(1)
    scene.watch()
    scene.wait_for(viewers=1)
    before = scene.edge.count(scene.ports[0])

    scene.edge.report_viewers(0)
    scene.wait_for(viewers=0)
    assert "as no-viewers in" in scene.daemon.run("show", "s01")
    assert scene.edge.count(scene.ports[0]) > before, "open and relayed to"
    closed = scene.wait_for(state="closed")
    assert (closed["reason"], closed["refusals"]) == ("no-viewers", 0)


@pytest.mark.long
def test_with_one_viewer_reported_the_relay_never_closes(rehearsal):
    scene = rehearsal(shutdown={"no_viewers": "2s", "lease": "3s"})
    scene.edge.report_viewers(1)
    scene.watch()
    # Ten times as long as either rule would take.
    scene.wait_for_packets(30 * RATE)
    assert scene.wait_for()["state"] == "live"
    assert gaps(scene.edge.received(scene.ports[0])) == 0


def test_a_viewer_who_returns_in_time_stops_the_count_of_no_viewers(rehearsal):
    scene = rehearsal(shutdown={"no_viewers": "6s"})
    scene.edge.report_viewers(1)
    scene.watch()
    for _ in range(3):
        scene.edge.report_viewers(0)
        scene.wait_for(viewers=0)
        scene.wait_for_packets(3 * RATE)
        scene.edge.report_viewers(1)
        scene.wait_for(viewers=1)
    assert gaps(scene.edge.received(scene.ports[0])) == 0
