"""Where a stream comes from, and how its replica goes: in `show`, in `streams`, on the pages and for scripts."""

import json
import re
from html import unescape

from lab.broadcast import RATE
from lab.web import STATUS, Apache, get

# The origin on the studio's cable.
ORIGIN = "10.9.0.1"
GROUP, COPY = "239.255.1.2", 7004
REPLICA = f'[replica]\ngroup = "{GROUP}"\nports = [{COPY}]\ninterface = "studio"\n'


def told(scene, stream="s01"):
    """A stream's origin as each of them tells it: one text for each reader."""

    def plain(html):
        return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())

    page = get(scene["origin"], STATUS).body
    (row,) = re.findall(rf'<tr[^>]*id="stream/{stream}".*?</tr>', page, re.S)
    return {
        "show": " ".join(scene.daemon.run("show", stream).split()),
        "streams": " ".join(scene.daemon.run("streams").split()),
        "page": plain(row),
    }


def origins(scene, stream="s01"):
    """A stream's origin for scripts, as `show` and `streams` have it."""
    listed = next(one for one in scene.daemon.ask("streams")["streams"] if one["name"] == stream)
    return [shape(one["origin"]) for one in (scene.daemon.ask("show", stream), listed)]


def relayed(scene):
    """The same as relays.json has it for the only relay."""
    (relay,) = json.loads(get(scene["origin"], f"{STATUS}/relays.json").body)["relays"]
    return shape(relay["origin"])


def shape(told):
    """What of it doesn't change from one moment to the next."""
    return told["kind"], told["state"], [(one["state"], one["to"]) for one in told.get("replicas", [])]


def wait_for(scene, kind, state, *replicas):
    """Waits until the origin is so; `replicas` are their states."""
    to = [f"{GROUP}:{COPY}"]
    wanted = (kind, state, [(replica, to) for replica in replicas])
    scene.daemon.wait_until(lambda: origins(scene) == [wanted] * 2, f"the origin should be {wanted}")
    return wanted


def test_a_group_is_told_of(rehearsal):
    scene = rehearsal()
    Apache(scene["origin"])
    wait_for(scene, "multicast", "idle")
    assert "s01 arrives by multicast: idle" in told(scene)["show"]
    scene.watch()
    wanted = wait_for(scene, "multicast", "running")
    assert relayed(scene) == wanted
    said = told(scene)
    assert "s01 arrives by multicast: running" in said["show"]
    assert "multicast running" in said["streams"] and "multicast, running" in said["page"]
    assert "multicast, " in page_of_relay(scene)
    scene.broadcast.tell("pause")
    wanted = wait_for(scene, "multicast", "waiting")
    assert "multicast, waiting" in told(scene)["page"]


def page_of_relay(scene):
    """The relay's own page, without its marks."""
    return re.sub(r"<[^>]+>", "", get(scene["origin"], f"{STATUS}/relay/s01/dss2").body)


def test_an_encoder_is_told_of_and_its_replica_on_demand(rehearsal):
    scene = rehearsal(to=ORIGIN, files={"s01.toml": REPLICA + 'run = "on-demand"\n'})
    Apache(scene["origin"])
    wait_for(scene, "unicast", "idle", "idle")
    said = told(scene)
    assert f"replica to {GROUP}:{COPY}: idle until a relay runs" in said["show"]
    assert f"unicast, idle replica to {GROUP}:{COPY}: idle" in said["page"]
    scene.watch()
    scene.wait_for_packets(RATE)
    wanted = wait_for(scene, "unicast", "running", "running")
    assert relayed(scene) == wanted
    said = told(scene)
    assert "s01 arrives by unicast: running" in said["show"]
    assert f"replica to {GROUP}:{COPY}: running for" in said["show"]
    assert "unicast running" in said["streams"]
    assert f"unicast, running replica to {GROUP}:{COPY}: running" in said["page"]
    assert f"replica to {GROUP}:{COPY}: running" in page_of_relay(scene)
    scene.daemon.run("stop", "s01/dss2")
    wait_for(scene, "unicast", "idle", "idle")


def test_a_replica_that_always_runs_is_told_of_through_all_its_states(rehearsal):
    scene = rehearsal(to=ORIGIN, files={"s01.toml": REPLICA.replace("studio", "eth0")})
    Apache(scene["origin"])
    wait_for(scene, "unicast", "running", "running")
    assert f"unicast, running replica to {GROUP}:{COPY}: running" in told(scene)["page"]
    scene.broadcast.tell("pause")
    wait_for(scene, "unicast", "waiting", "waiting")
    said = told(scene)
    assert "s01 arrives by unicast: waiting" in said["show"]
    assert f"unicast, waiting replica to {GROUP}:{COPY}: waiting" in said["page"]
    scene.broadcast.tell("resume")
    wait_for(scene, "unicast", "running", "running")
    scene["origin"].run(["ip", "link", "set", "eth0", "down"])
    # It is all that receives the stream.
    wait_for(scene, "unicast", "failed", "failed")
    said = told(scene)
    assert f"replica to {GROUP}:{COPY}: failed for" in said["show"]
    assert "unicast replica failed" in said["streams"]
    assert f"replica to {GROUP}:{COPY}: failed" in said["page"]
    assert all("Network is unreachable" in said[one] for one in ("show", "page"))
    scene["origin"].run(["ip", "link", "set", "eth0", "up"])
    wait_for(scene, "unicast", "running", "running")


def test_a_replica_of_another_program_is_told_of(rehearsal):
    scene = rehearsal(to=ORIGIN, files={"s01.toml": REPLICA + 'run = "elsewhere"\n'})
    Apache(scene["origin"])
    wait_for(scene, "unicast", "idle", "elsewhere")
    said = told(scene)
    assert f"replica to {GROUP}:{COPY}, which another program sends" in said["show"]
    assert f"replica to {GROUP}:{COPY}: sent by another program" in said["page"]
