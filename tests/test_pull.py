"""A stream that is pulled from an RTSP server while somebody watches it at the edge."""

import re
from pathlib import Path

import pytest

from lab.edge import PORTS, VIDEO_PORT
from lab.origin import LOGIN, PASSWORD, PORT, URL
from lab.perl_server import PerlServer
from lab.player import Mplayer
from lab.rtp import gaps
from lab.vlc import Vlc
from lab.web import SITE, STATUS, fetch, get
from lab.wire import Wire, is_run_of

# What DSS1 says when it is told by TEARDOWN, and when the last session has gone.
TEARDOWN, CLOSED = "^teardown", "^viewers: 0"

# The password as it is written, sent and hidden.
SECRETS = [PASSWORD, LOGIN, "open%20sesame", "sesame", "dmlld2VyOm9wZW4gc2VzYW1l"]


def with_login(login):
    """What news.toml says where DSS1 wants a user and a password."""
    return 'source = "' + URL.replace("rtsp://", f"rtsp://{login}") + '"'


def watch(scene):
    """A viewer follows the link, and what DSS1 sends is played."""
    player = Mplayer(scene["viewer"], f"{SITE}/news.smil")
    player.wait_for_play()
    scene.daemon.wait_for("news/dss2", state="live")
    return player


def leave(scene, player):
    """The last viewer leaves."""
    player.leave()
    assert scene.daemon.wait_for("news/dss2", state="closed")["reason"] == "no-viewers"
    scene.wait_for_pull("no longer pulled")


def assert_told(scene):
    """DSS1 was told that it is over, and did not just notice."""
    scene.dss1.program.wait_for(TEARDOWN)
    scene.dss1.program.wait_for(CLOSED)


def connections(scene):
    """How many connections the origin has to DSS1."""
    listed = scene["origin"].run(["ss", "-Htn", "state", "established", f"dport = :{PORT}"])
    return len(listed.stdout.splitlines())


def words_of(command, *words):
    """A command that goes by the configuration, which root can read."""
    return ["/run/bin/dynrelay", command, "--config", "/run/etc/dynrelay.toml", *words]


def command(scene, *words):
    """The same, run to its end."""
    return scene["origin"].run(words_of(*words), check=False)


def has_begun(program):
    """Whether it is the dynrelay command by now, and not what starts it."""
    try:
        return Path(f"/proc/{program.pid}/comm").read_text() == "dynrelay\n"
    except (FileNotFoundError, IndexError):
        return False


def process(program):
    """What the process list tells of a program."""
    process = Path(f"/proc/{program.pid}")
    said = [(process / name).read_text() for name in ["cmdline", "environ", "comm"]]
    return "\n".join(said + [task.read_text() for task in process.glob("task/*/comm")])


def assert_no_password(scene, *texts):
    """Nothing that anybody can see holds the password: neither in these, nor in what was logged,
    answered, shown and kept, nor in the process list."""
    daemon, said = scene.daemon, list(texts)
    for words in [["list", "--all"], ["show", "news"], ["streams"]]:
        said += [daemon.run(*words), str(daemon.ask(*words))]
    for page in ["", "/news/dss2", "/relays.json", "/metrics"]:
        said.append(get(scene["origin"], f"{STATUS}{page}").body)
    said.append(command(scene, "check").stdout)
    scan = scene["origin"].start("scan", words_of("scan", "news", "--for", "2s"))
    daemon.wait_until(lambda: has_begun(scan), "the scan should begin")
    said.append(process(scan))
    scan.wait()
    said.append("\n".join(scan.lines))
    said += ["\n".join(program.lines) for program in [daemon.program, scene.web.program]]
    said += [file.read_text() for file in scene["origin"].path("/run/dynrelay").glob("*.json")]
    said.append(process(daemon.program))
    for text in said:
        for secret in SECRETS:
            assert secret not in text, text


@pytest.mark.long
def test_over_udp_the_packets_come_to_the_edge_unchanged_and_only_while_they_are_watched(pulled):
    scene = pulled()
    assert scene.origin_of_news() == {"kind": "rtsp", "state": "idle", "detail": URL}
    assert connections(scene) == 0
    sent = Wire(scene["origin"], "studio", "udp")
    player = watch(scene)
    arrived = Wire(scene["dss2"], "eth0", f"udp dst portrange {PORTS[0]}-{PORTS[-1]}")

    def enough(packets):
        ports = [packet.target_port for packet in packets]
        return all(ports.count(port) >= (1 if port % 2 else 200) for port in PORTS)

    arrived.wait_for(enough, 90, "RTP and sender reports at the edge")
    scene.wait_for_pull("comes over UDP")
    assert scene.origin_of_news()["state"] == "running"
    assert connections(scene) == 1
    arrived.stop()
    came = {packet.target_port for packet in sent.packets if packet.source == "10.9.0.2"}
    for port in PORTS:
        flows = [sent.payloads(one) for one in came if one % 2 == port % 2]
        assert any(is_run_of(arrived.payloads(port), flow) for flow in flows), port

    leave(scene, player)
    assert_told(scene)
    sent.stop()
    reports = [packet.payload[1] for packet in sent.packets if packet.target == "10.9.0.2"]
    assert reports and set(reports) == {201}, "receiver reports went back"
    assert connections(scene) == 0


@pytest.mark.long
def test_one_pull_serves_all_edges(pulled):
    scene = pulled(edges=["dss2", "dss3"], serves={"dss3": ["203.0.113.128/25"]})
    viewer = watch(scene)
    guest = Mplayer(scene["guest"], f"{SITE}/news.smil")
    guest.wait_for_play()
    scene.daemon.wait_for("news/dss3", state="live")
    assert connections(scene) == 1
    wires = [Wire(scene[name], "eth0", f"udp dst port {VIDEO_PORT}") for name in ["dss2", "dss3"]]
    for wire in wires:
        wire.wait_for(lambda packets: len(packets) > 500, what="video at both edges")
    for wire in wires:
        wire.stop()
    first, second = [wire.payloads(VIDEO_PORT) for wire in wires]
    common = [packet for packet in first if packet in second]
    assert len(common) > 100 and is_run_of(common, first) and is_run_of(common, second)

    viewer.leave()
    scene.daemon.wait_for("news/dss2", state="closed")
    assert connections(scene) == 1, "the guest still watches"
    still = Wire(scene["dss3"], "eth0", f"udp dst port {VIDEO_PORT}")
    still.wait_for(lambda packets: len(packets) > 100, what="video at the guest's edge")
    still.stop()
    guest.leave()
    scene.daemon.wait_for("news/dss3", state="closed")
    scene.wait_for_pull("no longer pulled")
    assert_told(scene)


@pytest.mark.parametrize(
    "options, source, files",
    [
        (["--login", "basic"], with_login(LOGIN), {}),
        (
            ["--tcp-only", "--login", "digest"],
            with_login("viewer@") + '\npassword_file = "dss1.password"',
            {"dss1.password": f"{PASSWORD}\n"},
        ),
    ],
    ids=["udp-basic", "tcp-digest"],
)
@pytest.mark.long
def test_a_password_opens_dss1_and_is_seen_nowhere(pulled, options, source, files):
    scene = pulled(options=options, source=source, files=files)
    events = scene.daemon.follow("events", "--json")
    player = watch(scene)
    transport = "TCP" if "--tcp-only" in options else "UDP"
    scene.wait_for_pull(f"comes over {transport}")
    arrived = Wire(scene["dss2"], "eth0", f"udp dst port {VIDEO_PORT}")
    arrived.wait_for(lambda packets: len(packets) > 300, what="video at the edge")
    arrived.stop()
    assert gaps(arrived.payloads(VIDEO_PORT)) == 0
    assert_no_password(scene)
    leave(scene, player)
    assert_told(scene)
    events.wait_for("closed")
    walk = command(scene, "check", "--edge", "dss2", "news").stdout
    assert "is pulled from" in " ".join(walk.split())
    assert_no_password(scene, walk, *events.lines)


def test_a_wrong_password_is_502_with_a_reason_and_is_seen_nowhere(pulled):
    scene = pulled(options=["--login", "digest"], source=with_login("viewer:sesame@"))
    answer = fetch(scene["viewer"], "news.smil")
    assert answer.status == 502
    assert "refuses" in answer.body
    scene.wait_for_pull("can't be pulled.*password")
    origin = scene.origin_of_news()
    assert origin["state"] == "failed" and "refuses the user or the password" in origin["detail"]
    assert "refuses the user or the password" in get(scene["origin"], STATUS).body
    assert scene.web.program.wait_for("refuses the user or the password")
    assert scene.daemon.relays() == scene.daemon.relays(closed=True) == []
    assert_no_password(scene, answer.body)


def test_a_source_that_dies_is_tried_again_and_plays_on(pulled):
    scene = pulled(shutdown={"source_silence": "60s"})
    player = watch(scene)
    scene.wait_for_pull("comes over UDP")
    scene.dss1.program.stop()
    scene.wait_for_pull("can't be pulled, trying again")
    answer = fetch(scene["viewer"], "news.smil")
    assert answer.status == 502 and "does not send" in answer.body
    scene.dss1.start()
    scene.wait_for_pull("comes over UDP")
    arrived = Wire(scene["dss2"], "eth0", f"udp dst port {VIDEO_PORT}")
    arrived.wait_for(lambda packets: len(packets) > 100, what="video at the edge")
    arrived.stop()
    assert fetch(scene["viewer"], "news.smil").status == 200
    assert len(scene.daemon.relays()) == 1 and not scene.daemon.relays(closed=True)
    assert player.program.running
    scene.daemon.program.stop()
    assert_told(scene)


def test_a_source_that_cannot_send_by_udp_is_503_at_first_and_then_comes_by_tcp(pulled):
    scene = pulled()
    drop = "add table ip t; add chain ip t in { type filter hook input priority 0; }; "
    drop += "add rule ip t in iifname studio udp dport 1024-65535 drop"
    scene["origin"].run(["nft", drop])
    answer = fetch(scene["viewer"], "news.smil")
    assert answer.status == 503 and "fetched" in answer.body
    scene.wait_for_pull("comes over TCP")
    player = watch(scene)
    leave(scene, player)
    again = fetch(scene["viewer"], "news.smil")
    assert again.status == 200, "it is known now that TCP is the way"


def test_vlc_is_pulled_too(pulled):
    # Nobody plays it here, so the relay must not close meanwhile.
    scene = pulled(dss1=Vlc, source=with_login(LOGIN), shutdown={"grace": "10m"})
    viewer = scene["viewer"]
    scene.daemon.wait_until(lambda: fetch(viewer, "news.smil").status == 200, "VLC should play")
    arrived = Wire(scene["dss2"], "eth0", f"udp dst port {VIDEO_PORT}")
    arrived.wait_for(lambda packets: len(packets) > 100, what="video at the edge")
    assert gaps(arrived.payloads(VIDEO_PORT)) == 0
    scene.daemon.run("stop", "news/dss2")
    scene.wait_for_pull("no longer pulled")
    assert_no_password(scene)


def test_a_third_server_is_pulled_with_picture_and_sound(pulled):
    scene = pulled(dss1=PerlServer)
    player = watch(scene)
    leave(scene, player)
