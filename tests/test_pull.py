"""dynrelayd pulls a stream from an RTSP server while somebody watches it at the edge."""

from pathlib import Path

import pytest

from lab.edge import PORTS, VIDEO_PORT
from lab.dss1 import LOGIN, PASSWORD, PORT, URL, PerlServer, VlcServer
from lab.player import Mplayer
from lab.rtp import gaps
from lab.web import SITE, STATUS, fetch, get
from lab.capture import Capture, is_run_of

# DSS1 prints these lines at a TEARDOWN, and when the last session ends.
TEARDOWN, CLOSED = "^teardown", "^viewers: 0"

# The password as configured, as sent, and encoded.
SECRETS = [PASSWORD, LOGIN, "open%20sesame", "sesame", "dmlld2VyOm9wZW4gc2VzYW1l"]


def with_login(login):
    """The text of news.toml with user and password."""
    return 'source = "' + URL.replace("rtsp://", f"rtsp://{login}") + '"'


def watch(testbed):
    """A viewer's player follows the link and plays the stream of DSS1."""
    player = Mplayer(testbed["viewer"], f"{SITE}/news.smil")
    player.wait_for_play()
    testbed.daemon.wait_for("news/dss2", state="live")
    return player


def leave(testbed, player):
    """The last viewer leaves."""
    player.leave()
    assert testbed.daemon.wait_for("news/dss2", state="closed")["reason"] == "no-viewers"
    testbed.wait_for_pull("no longer pulled")


def assert_told(testbed):
    """Asserts that the daemon ended the session by TEARDOWN."""
    testbed.dss1.program.wait_for(TEARDOWN)
    testbed.dss1.program.wait_for(CLOSED)


def connections(testbed):
    """The number of connections from the origin to DSS1."""
    listed = testbed["origin"].run(["ss", "-Htn", "state", "established", f"dport = :{PORT}"])
    return len(listed.stdout.splitlines())


def words_of(command, *words):
    """A command that reads the configuration."""
    return ["/run/bin/dynrelay", command, "--config", "/run/etc/dynrelay.toml", *words]


def command(testbed, *words):
    """Runs such a command to its end, as root."""
    return testbed["origin"].run(words_of(*words), check=False)


def has_begun(program):
    """Whether the process is the dynrelay command and no longer nsenter."""
    try:
        return Path(f"/proc/{program.pid}/comm").read_text() == "dynrelay\n"
    except (FileNotFoundError, IndexError):
        return False


def process(program):
    """Everything that the process list shows of a program."""
    process = Path(f"/proc/{program.pid}")
    said = [(process / name).read_text() for name in ["cmdline", "environ", "comm"]]
    return "\n".join(said + [task.read_text() for task in process.glob("task/*/comm")])


def assert_no_password(testbed, *texts):
    """Asserts that the password is in none of these texts, and in no log, answer, page, state file and
    process list."""
    daemon, said = testbed.daemon, list(texts)
    for words in [["list", "--all"], ["show", "news"], ["streams"]]:
        said += [daemon.run(*words), str(daemon.ask(*words))]
    for page in ["", "/news/dss2", "/relays.json", "/metrics"]:
        said.append(get(testbed["origin"], f"{STATUS}{page}").body)
    said.append(command(testbed, "check").stdout)
    scan = testbed["origin"].start("scan", words_of("scan", "news", "--for", "2s"))
    daemon.wait_until(lambda: has_begun(scan), "the scan should begin")
    said.append(process(scan))
    scan.wait()
    said.append("\n".join(scan.lines))
    said += ["\n".join(program.lines) for program in [daemon.program, testbed.web.program]]
    said += [file.read_text() for file in testbed["origin"].path("/run/dynrelay").glob("*.json")]
    said.append(process(daemon.program))
    for text in said:
        for secret in SECRETS:
            assert secret not in text, text


@pytest.mark.long
def test_a_pull_over_udp_delivers_packets_unchanged_and_only_while_somebody_watches(pull_testbed):
    testbed = pull_testbed()
    assert testbed.origin_of_news() == {"kind": "rtsp", "state": "idle", "detail": URL}
    assert connections(testbed) == 0
    sent = Capture(testbed["origin"], "studio", "udp")
    player = watch(testbed)
    arrived = Capture(testbed["dss2"], "eth0", f"udp dst portrange {PORTS[0]}-{PORTS[-1]}")

    def enough(packets):
        ports = [packet.target_port for packet in packets]
        return all(ports.count(port) >= (1 if port % 2 else 200) for port in PORTS)

    arrived.wait_for(enough, 90, "RTP and sender reports at the edge")
    testbed.wait_for_pull("comes over UDP")
    assert testbed.origin_of_news()["state"] == "running"
    assert connections(testbed) == 1
    arrived.stop()
    came = {packet.target_port for packet in sent.packets if packet.source == "10.9.0.2"}
    for port in PORTS:
        flows = [sent.payloads(one) for one in came if one % 2 == port % 2]
        assert any(is_run_of(arrived.payloads(port), flow) for flow in flows), port

    leave(testbed, player)
    assert_told(testbed)
    sent.stop()
    reports = [packet.payload[1] for packet in sent.packets if packet.target == "10.9.0.2"]
    assert reports and set(reports) == {201}, "receiver reports went back"
    assert connections(testbed) == 0


@pytest.mark.long
def test_one_pull_serves_all_edges(pull_testbed):
    testbed = pull_testbed(edges=["dss2", "dss3"], serves={"dss3": ["203.0.113.128/25"]})
    viewer = watch(testbed)
    guest = Mplayer(testbed["guest"], f"{SITE}/news.smil")
    guest.wait_for_play()
    testbed.daemon.wait_for("news/dss3", state="live")
    assert connections(testbed) == 1
    captures = [Capture(testbed[name], "eth0", f"udp dst port {VIDEO_PORT}") for name in ["dss2", "dss3"]]
    for capture in captures:
        capture.wait_for(lambda packets: len(packets) > 500, what="video at both edges")
    for capture in captures:
        capture.stop()
    first, second = [capture.payloads(VIDEO_PORT) for capture in captures]
    common = [packet for packet in first if packet in second]
    assert len(common) > 100 and is_run_of(common, first) and is_run_of(common, second)

    viewer.leave()
    testbed.daemon.wait_for("news/dss2", state="closed")
    assert connections(testbed) == 1, "the guest still watches"
    still = Capture(testbed["dss3"], "eth0", f"udp dst port {VIDEO_PORT}")
    still.wait_for(lambda packets: len(packets) > 100, what="video at the guest's edge")
    still.stop()
    guest.leave()
    testbed.daemon.wait_for("news/dss3", state="closed")
    testbed.wait_for_pull("no longer pulled")
    assert_told(testbed)


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
def test_a_password_opens_dss1_and_is_seen_nowhere(pull_testbed, options, source, files):
    testbed = pull_testbed(options=options, source=source, files=files)
    events = testbed.daemon.follow("events", "--json")
    player = watch(testbed)
    transport = "TCP" if "--tcp-only" in options else "UDP"
    testbed.wait_for_pull(f"comes over {transport}")
    arrived = Capture(testbed["dss2"], "eth0", f"udp dst port {VIDEO_PORT}")
    arrived.wait_for(lambda packets: len(packets) > 300, what="video at the edge")
    arrived.stop()
    assert gaps(arrived.payloads(VIDEO_PORT)) == 0
    assert_no_password(testbed)
    leave(testbed, player)
    assert_told(testbed)
    events.wait_for("closed")
    walk = command(testbed, "check", "--edge", "dss2", "news").stdout
    assert "is pulled from" in " ".join(walk.split())
    assert_no_password(testbed, walk, *events.lines)


def test_a_wrong_password_is_502_with_a_reason_and_is_seen_nowhere(pull_testbed):
    testbed = pull_testbed(options=["--login", "digest"], source=with_login("viewer:sesame@"))
    answer = fetch(testbed["viewer"], "news.smil")
    assert answer.status == 502
    assert "refuses" in answer.body
    testbed.wait_for_pull("can't be pulled.*password")
    origin = testbed.origin_of_news()
    assert origin["state"] == "failed" and "refuses the user or the password" in origin["detail"]
    assert "refuses the user or the password" in get(testbed["origin"], STATUS).body
    assert testbed.web.program.wait_for("refuses the user or the password")
    assert testbed.daemon.relays() == testbed.daemon.relays(closed=True) == []
    assert_no_password(testbed, answer.body)


def test_a_pull_retries_a_source_that_dies(pull_testbed):
    testbed = pull_testbed(shutdown={"source_silence": "60s"})
    player = watch(testbed)
    testbed.wait_for_pull("comes over UDP")
    testbed.dss1.program.stop()
    testbed.wait_for_pull("can't be pulled, trying again")
    answer = fetch(testbed["viewer"], "news.smil")
    assert answer.status == 502 and "does not send" in answer.body
    testbed.dss1.start()
    testbed.wait_for_pull("comes over UDP")
    arrived = Capture(testbed["dss2"], "eth0", f"udp dst port {VIDEO_PORT}")
    arrived.wait_for(lambda packets: len(packets) > 100, what="video at the edge")
    arrived.stop()
    assert fetch(testbed["viewer"], "news.smil").status == 200
    assert len(testbed.daemon.relays()) == 1 and not testbed.daemon.relays(closed=True)
    assert player.program.running
    testbed.daemon.program.stop()
    assert_told(testbed)


def test_a_pull_goes_over_to_tcp_where_udp_does_not_get_through(pull_testbed):
    testbed = pull_testbed()
    drop = "add table ip t; add chain ip t in { type filter hook input priority 0; }; "
    drop += "add rule ip t in iifname studio udp dport 1024-65535 drop"
    testbed["origin"].run(["nft", drop])
    answer = fetch(testbed["viewer"], "news.smil")
    assert answer.status == 200, "the start that waits sees TCP succeed"
    testbed.wait_for_pull("comes over TCP")
    player = watch(testbed)
    leave(testbed, player)
    again = fetch(testbed["viewer"], "news.smil")
    assert again.status == 200, "it is known now that TCP is the way"


def test_a_pull_works_with_vlc(pull_testbed):
    # Nobody plays it here, and the relay must not close.
    testbed = pull_testbed(dss1=VlcServer, source=with_login(LOGIN), shutdown={"grace": "10m"})
    viewer = testbed["viewer"]
    testbed.daemon.wait_until(lambda: fetch(viewer, "news.smil").status == 200, "VLC should play")
    arrived = Capture(testbed["dss2"], "eth0", f"udp dst port {VIDEO_PORT}")
    arrived.wait_for(lambda packets: len(packets) > 100, what="video at the edge")
    assert gaps(arrived.payloads(VIDEO_PORT)) == 0
    testbed.daemon.run("stop", "news/dss2")
    testbed.wait_for_pull("no longer pulled")
    assert_no_password(testbed)


def test_a_pull_works_with_a_third_server(pull_testbed):
    testbed = pull_testbed(dss1=PerlServer)
    player = watch(testbed)
    leave(testbed, player)
