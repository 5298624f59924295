"""Every view shows the origin of a stream and the state of its replica."""

import json
import re
from html import unescape

from lab.broadcast import RATE
from lab.replica import COPY, GROUP, ORIGIN, REPLICA
from lab.web import STATUS, Apache, get


def told(testbed, stream="s01"):
    """A stream's origin in each view for people, as text."""

    def plain(html):
        return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())

    page = get(testbed["origin"], STATUS).body
    (row,) = re.findall(rf'<tr[^>]*id="stream/{stream}".*?</tr>', page, re.S)
    return {
        "show": " ".join(testbed.daemon.run("show", stream).split()),
        "streams": " ".join(testbed.daemon.run("streams").split()),
        "page": plain(row),
    }


def origins(testbed, stream="s01"):
    """A stream's origin in the JSON of `show` and `streams`."""
    listed = next(one for one in testbed.daemon.ask("streams")["streams"] if one["name"] == stream)
    return [shape(one["origin"]) for one in (testbed.daemon.ask("show", stream), listed)]


def relayed(testbed):
    """The origin of the only relay in relays.json."""
    (relay,) = json.loads(get(testbed["origin"], f"{STATUS}/relays.json").body)["relays"]
    return shape(relay["origin"])


def shape(told):
    """The parts of an origin that do not change from moment to moment."""
    return told["kind"], told["state"], [(one["state"], one["to"]) for one in told.get("replicas", [])]


def wait_for(testbed, kind, state, *replicas):
    """Waits until the origin has this kind and state; `replicas` are states of replicas."""
    to = [f"{GROUP}:{COPY}"]
    wanted = (kind, state, [(replica, to) for replica in replicas])
    testbed.daemon.wait_until(lambda: origins(testbed) == [wanted] * 2, f"the origin should be {wanted}")
    return wanted


def test_every_view_shows_a_multicast_origin(light_testbed):
    testbed = light_testbed()
    Apache(testbed["origin"])
    wait_for(testbed, "multicast", "idle")
    assert "s01 arrives by multicast: idle" in told(testbed)["show"]
    testbed.watch()
    wanted = wait_for(testbed, "multicast", "running")
    assert relayed(testbed) == wanted
    said = told(testbed)
    assert "s01 arrives by multicast: running" in said["show"]
    assert "multicast running" in said["streams"] and "multicast, running" in said["page"]
    assert "multicast, " in page_of_relay(testbed)
    testbed.broadcast.tell("pause")
    wanted = wait_for(testbed, "multicast", "waiting")
    assert "multicast, waiting" in told(testbed)["page"]


def page_of_relay(testbed):
    """The text of the relay's page."""
    return re.sub(r"<[^>]+>", "", get(testbed["origin"], f"{STATUS}/relay/s01/dss2").body)


def test_every_view_shows_a_unicast_encoder_and_its_replica_on_demand(light_testbed):
    testbed = light_testbed(to=ORIGIN, files={"s01.toml": REPLICA + 'run = "on-demand"\n'})
    Apache(testbed["origin"])
    wait_for(testbed, "unicast", "idle", "idle")
    said = told(testbed)
    assert f"replica to {GROUP}:{COPY}: idle until a relay runs" in said["show"]
    assert f"unicast, idle replica to {GROUP}:{COPY}: idle" in said["page"]
    testbed.watch()
    testbed.wait_for_packets(RATE)
    wanted = wait_for(testbed, "unicast", "running", "running")
    assert relayed(testbed) == wanted
    said = told(testbed)
    assert "s01 arrives by unicast: running" in said["show"]
    assert f"replica to {GROUP}:{COPY}: running for" in said["show"]
    assert "unicast running" in said["streams"]
    assert f"unicast, running replica to {GROUP}:{COPY}: running" in said["page"]
    assert f"replica to {GROUP}:{COPY}: running" in page_of_relay(testbed)
    testbed.daemon.run("stop", "s01/dss2")
    wait_for(testbed, "unicast", "idle", "idle")


def test_every_view_shows_each_state_of_a_replica(light_testbed):
    testbed = light_testbed(to=ORIGIN, files={"s01.toml": REPLICA.replace("studio", "eth0")})
    Apache(testbed["origin"])
    wait_for(testbed, "unicast", "running", "running")
    assert f"unicast, running replica to {GROUP}:{COPY}: running" in told(testbed)["page"]
    testbed.broadcast.tell("pause")
    wait_for(testbed, "unicast", "waiting", "waiting")
    said = told(testbed)
    assert "s01 arrives by unicast: waiting" in said["show"]
    assert f"unicast, waiting replica to {GROUP}:{COPY}: waiting" in said["page"]
    testbed.broadcast.tell("resume")
    wait_for(testbed, "unicast", "running", "running")
    testbed["origin"].run(["ip", "link", "set", "eth0", "down"])
    # Nothing else receives the stream.
    wait_for(testbed, "unicast", "failed", "failed")
    said = told(testbed)
    assert f"replica to {GROUP}:{COPY}: failed for" in said["show"]
    assert "unicast replica failed" in said["streams"]
    assert f"replica to {GROUP}:{COPY}: failed" in said["page"]
    assert all("Network is unreachable" in said[one] for one in ("show", "page"))
    testbed["origin"].run(["ip", "link", "set", "eth0", "up"])
    wait_for(testbed, "unicast", "running", "running")


def test_every_view_shows_a_replica_that_another_program_sends(light_testbed):
    testbed = light_testbed(to=ORIGIN, files={"s01.toml": REPLICA + 'run = "elsewhere"\n'})
    Apache(testbed["origin"])
    wait_for(testbed, "unicast", "idle", "elsewhere")
    said = told(testbed)
    assert f"replica to {GROUP}:{COPY}, which another program sends" in said["show"]
    assert f"replica to {GROUP}:{COPY}: sent by another program" in said["page"]
