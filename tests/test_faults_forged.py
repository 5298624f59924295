"""Forged ICMP errors: a watched relay loses no packet and never changes its state."""

from pathlib import Path

import pytest

from lab import forger
from lab.broadcast import RATE
from lab.light_testbed import DEFAULT_RULES
from lab.rtp import gaps

SECONDS = 60


@pytest.mark.long
@pytest.mark.parametrize("rate", [20, 2000])
def test_forged_errors_of_every_kind_change_nothing(light_testbed, rate):
    testbed = light_testbed(shutdown=DEFAULT_RULES)
    for interface in ("all", "guest"):
        testbed.network.router.run(["sysctl", "-qw", f"net.ipv4.conf.{interface}.rp_filter=0"])
    testbed.watch()
    before = testbed.show()
    ports = [int(flow["via"].rpartition(":")[2]) for flow in before["flows"]]
    targets = [flow["to"].rpartition(":")[2] for flow in before["flows"]]
    guest = testbed["guest"]
    script = guest.install(Path(forger.__file__), "/run/forger.py")
    victim = before["flows"][0]["via"].rpartition(":")[0].replace("0.0.0.0", "192.0.2.1")
    command = ["/usr/bin/python3", script, rate, SECONDS, victim, ports[0], testbed.edge.address, *targets]
    attack = guest.start("forger", command)
    sent = int(attack.wait_for("^sent ", SECONDS + 60).split()[1])

    after = testbed.show()
    testbed.wait_for_packets(RATE)
    kept = ("state", "since", "started", "refusals")
    assert [after[field] for field in kept] == [before[field] for field in kept]
    assert after["state"] == "live" and after["lost"] == 0
    received = testbed.edge.received(testbed.ports[0])
    assert gaps(received) == 0
    assert len(received) >= SECONDS * RATE
    assert all(flow["gate"] == "open" for flow in after["flows"])
    # The kernel itself drops errors of other types, and those that its limits don't allow.
    assert after["forged"] >= sent / 3, (sent, after)
    print("sent", sent, "counted", after["forged"])

    warnings = testbed.daemon.program.said("fit no packet of the relay")
    assert 1 <= len(warnings) <= 3
    assert "that fit no packet; they have no effect" in " ".join(testbed.daemon.run("show", "s01").split())
