"""The dynrelay command at a terminal: scan, check, events, show and watch."""

import json
import re
import signal

from lab import terminal
from lab.encoder import GROUP
from lab.terminal import Terminal

STRANGERS = "239.1.2.99"


def scanned(testbed, *words):
    """The media of each stream in `dynrelay scan … --json`, by its name."""
    ended = testbed.daemon.scan(*words, "--json")
    told = json.loads(ended.stdout)
    assert ended.returncode == (0 if told["active"] else 1)
    return {stream["name"]: stream["media"] for stream in told["streams"]}


def send_strangers(testbed):
    """Sends an MPEG transport stream, which is not RTP, to another group."""
    ffmpeg = testbed["encoder"].start(
        "strangers",
        ["ffmpeg", "-hide_banner", "-nostdin", "-stats_period", "0.2", "-re", "-f", "lavfi"]
        + ["-i", "sine", "-c:a", "mp2", "-f", "mpegts", f"udp://{STRANGERS}:5004?ttl=4"],
    )
    ffmpeg.wait_for(r"time=00:00:0[1-9]")


def test_a_scan_tells_active_media_from_all_others(full_testbed):
    testbed = full_testbed()
    sdp = testbed.encoder.sdp
    variants = {
        "half": re.sub(r"m=audio \d+", "m=audio 5916", sdp),
        "other": re.sub(r"(RTP/AVP|rtpmap:|fmtp:) ?9[67]\b", lambda own: f"{own[0][:-2]}99", sdp),
        "strange": sdp.replace(GROUP, STRANGERS),
    }
    for name, variant in variants.items():
        testbed.daemon.add_file(f"{name}.sdp", variant)
    send_strangers(testbed)

    told = scanned(testbed, "--for", "2s")
    verdicts = {name: [media["verdict"] for media in found] for name, found in told.items()}
    assert verdicts == {
        "news": ["active", "active"],
        "half": ["active", "not-active"],
        "other": ["not-active", "active"],
        "strange": ["not-active", "not-active"],
    }
    video = told["news"][0]
    (sender,) = video["senders"]
    assert (sender["address"].split(":")[0], sender["codecs"]) == ("10.9.0.2", ["H264"])
    assert video["lost"] == 0 and video["packets_per_second"] > 5
    # The encoder sends 300 kbit/s, or less on a slow machine.
    assert 20_000 < video["bits_per_second"] < 2_000_000
    assert told["other"][0]["foreign_payload_types"] == [96]
    assert told["strange"][0]["strangers"] > 0

    people = testbed.daemon.scan("half", "--for", "1s")
    assert people.returncode == 1 and people.stderr == ""
    assert re.search(r"^half +video H264 +ACTIVE +[\d.]+ kbit/s ", people.stdout, re.MULTILINE)
    assert re.search(r"^half +audio \S+ +NOT ACTIVE$", people.stdout, re.MULTILINE)
    assert all(len(line) <= 80 for line in people.stdout.splitlines())


def test_a_scan_does_not_disturb_a_relay(full_testbed):
    testbed = full_testbed()
    testbed.daemon.ask("start", "news", "--edge", "dss2")
    before = testbed.daemon.wait_for("news/dss2", state="starting")
    ended = testbed.daemon.scan("news", "--quick", "--for", "60s")
    assert ended.returncode == 0, ended.stdout
    testbed.daemon.wait_until(
        lambda: testbed.daemon.wait_for("news/dss2")["packets"] > before["packets"] + 20,
        "the relay should go on",
    )
    testbed.encoder.stop()
    assert testbed.daemon.scan("news", "--for", "1s").returncode == 1


def test_a_scan_shows_its_progress_at_a_terminal(light_testbed):
    testbed = light_testbed()
    config = ["--config", "/run/etc/dynrelay.toml"]
    for environment, status in (([], "\x1b[32mACTIVE\x1b[0m"), (["env", "NO_COLOR=1"], " ACTIVE ")):
        screen = Terminal([*environment, *testbed.daemon.command("scan", *config, "--for", "2s")])
        progress, _, answer = screen.wait_for_end().rpartition("\r\x1b[K")
        assert progress.startswith("\rListening: 0 of 1 media active, 2 s left\x1b[K")
        assert "\rListening: 1 of 1 media active" in progress
        assert answer.startswith(("STREAM", "\x1b[1mSTREAM")) and status in answer


def test_check_says_that_it_takes_a_while(light_testbed):
    testbed = light_testbed()
    check = Terminal(testbed.daemon.command("check", "--config", testbed.daemon.config))
    said, _, report = check.wait_for_end().partition("\r\x1b[K")
    assert said.strip("\r").startswith("Checking; edges have a few seconds to answer …")
    assert "1 stream, 1 edge." in report


def crash_and_return(testbed, meanwhile):
    """Kills the daemon, and starts it again after `meanwhile()`."""
    testbed.daemon.program.send_signal(signal.SIGKILL)
    testbed.daemon.program.wait()
    meanwhile()
    testbed.daemon.start()


def test_events_tell_of_each_state_and_of_restarts(light_testbed):
    testbed = light_testbed(shutdown={"lease": "1h"})
    followers = [
        testbed.daemon.follow("events", "--json"),
        testbed.daemon.follow("events"),
        # Without a terminal, watch prints events too.
        testbed.daemon.follow("watch"),
    ]
    for follower in followers:
        follower.wait_for("following dynrelayd")
    testbed.watch()
    testbed.daemon.ask("stop", "s01", "dss2")
    programs, *people = followers
    told = json.loads(programs.wait_for('"closed"'))
    assert (told["stream"], told["edge"], told["reason"]) == ("s01", "dss2", "stopped")
    states = [json.loads(line)["state"] for line in programs.said("^{")]
    assert states == ["starting", "live", "closed"]
    for follower in people:
        follower.wait_for(r"^\d{4}-\d\d-\d\dT[\d:]+Z s01/dss2 closed: stopped \(by an administrator, or with the daemon\)$")
        assert len(follower.said("s01/dss2 ")) == 3

    # A crash before the state file is written would bring the stopped relay back.
    state = testbed["origin"].path("/run/dynrelay/state.json")
    testbed.daemon.wait_until(lambda: "s01" not in state.read_text(), "the state file should be empty")
    gone = "dynrelayd is gone: waiting for it"
    crash_and_return(testbed, lambda: [follower.wait_for(gone) for follower in followers])
    for follower in followers:
        follower.wait_for("dynrelayd is back")
    testbed.daemon.ask("start", "s01")
    for follower in followers:
        follower.wait_for("s01.*starting", count=2)
        assert follower.stop() != 0


def test_show_says_why_a_relay_is_in_its_state_and_what_closes_it(light_testbed):
    testbed = light_testbed(shutdown={"errors": 30})

    def story():
        return " ".join(testbed.daemon.run("show", "s01").split())

    def is_starting():
        # Each start begins a new grace.
        testbed.daemon.ask("start", "s01")
        return "The edge may refuse it until the player arrives there." in story()

    testbed.daemon.wait_until(is_starting, "show should tell why it is starting")
    testbed.wait_for(state="suspect")
    told = story()
    assert "why The edge has refused it since a viewer asked for it" in told
    assert re.search(r"closes as never-accepted after \d+ more refused probes, at most one a second", told)
    testbed.edge.open(*testbed.ports)
    testbed.wait_for(state="live")
    told = story()
    assert "why The edge takes it." in told
    assert "closes when the edge refuses every media, and then 30 probes of each, or the source is silent for 4s" in told
    assert all(len(line) <= 80 for line in testbed.daemon.run("show", "s01").splitlines())
    testbed.daemon.ask("stop", "s01", "dss2")
    assert "why By an administrator, or with the daemon." in story()


def test_events_ends_when_its_reader_leaves(light_testbed):
    testbed = light_testbed()
    pipe = ["sh", "-c", "/run/bin/dynrelay --socket $0 events | head -n 1", "/run/dynrelay/control.sock"]
    piped = testbed["origin"].start("pipe", pipe)
    piped.wait_for("following dynrelayd")
    testbed.daemon.ask("start", "s01")
    piped.wait_for("s01/dss2 starting")
    assert piped.wait() == 0


def test_watch_draws_a_live_table(light_testbed):
    testbed = light_testbed()
    screen = Terminal(testbed.daemon.command("watch"))
    screen.wait_for(lambda lines: "Nothing is relayed now." in lines, "an empty table")
    assert not screen.echoes

    testbed.watch()

    def has(lines, *patterns):
        return all(any(re.match(pattern, line) for line in lines) for pattern in patterns)

    row, event = r"s01/dss2 +live +\d+s +[\d.]+ kbit/s ", r"\S+Z  s01/dss2  live$"
    picture = screen.wait_for(lambda lines: has(lines, row, event), "a relay that is live")
    assert picture[0].startswith("dynrelayd ") and ": 1 relay, " in picture[0]
    assert picture[2].split() == "RELAY STATE FOR RATE SENT VIEWERS REFUSED AGE".split()
    assert max(map(len, picture)) <= 80

    screen.resize(40, 6)
    small = screen.wait_for(lambda lines: len(lines) <= 6, "a small table")
    assert max(map(len, small[1:])) <= 40
    screen.resize(80, 24)

    def it_is_told():
        screen.wait_for(lambda lines: "dynrelayd is gone" in lines[0], "the daemon's end")

    crash_and_return(testbed, it_is_told)
    screen.wait_for(
        lambda lines: ": 1 relay, " in lines[0] and has(lines, "s01/dss2 +(starting|live) "),
        "the daemon's return",
    )
    screen.type("q")
    written = screen.wait_for_end()
    assert written.count(terminal.FULL_SCREEN) == written.count(terminal.NORMAL_SCREEN) == 1
    assert written.endswith(terminal.NORMAL_SCREEN)
    # The screen is never cleared before a picture, because that would flicker.
    assert "\x1b[2J" not in written


def test_watch_restores_the_terminal_when_it_is_interrupted(light_testbed):
    testbed = light_testbed()
    # The shell and nsenter ignore the interrupt; dynrelay does not.
    command = "trap '' INT; " + " ".join(testbed.daemon.command("watch")) + "; echo status $?; stty -a"
    screen = Terminal(["sh", "-c", command])
    screen.wait_for(lambda lines: "Nothing is relayed now." in lines, "an empty table")
    screen.type("\x03")
    after = screen.wait_for_end().rpartition(terminal.NORMAL_SCREEN)[2]
    assert "status 0" in after and " echo " in after and " icanon " in after


def test_watch_draws_no_color_with_no_color_set(light_testbed):
    testbed = light_testbed()
    testbed.watch()
    for environment, coloured in ((["env"], True), (["env", "NO_COLOR=1"], False)):
        screen = Terminal([*environment, *testbed.daemon.command("watch")])
        screen.wait_for(lambda lines: any(" live " in line for line in lines), "a live relay")
        screen.type("q")
        assert ("\x1b[32mlive" in screen.wait_for_end()) == coloured
