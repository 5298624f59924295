"""`dynrelay sdp offer` and `dynrelay check` look at a running system."""

import json

from lab.player import Mplayer
from lab.web import SITE


def findings(testbed, about):
    """The findings of `dynrelay check` about one subject: severity and text of each."""
    found = testbed.daemon.check()["findings"]
    return [(one["severity"], one["what"]) for one in found if one["about"] == about]


def walk_command(testbed, *words):
    """`dynrelay check --edge dss2 …`"""
    return ["/run/bin/dynrelay", "check", "--config", testbed.daemon.config, "--edge", "dss2", *words]


def walk(testbed, *words):
    """The result of a walk to dss2: whether it succeeded, and its steps with their outcomes."""
    done = testbed["origin"].run(walk_command(testbed, *words, "--json"), check=False)
    told = json.loads(done.stdout)
    assert done.returncode == (0 if told["ok"] else 1)
    return told["ok"], [(step["step"], step["outcome"]) for step in told["steps"]]


def nft(host, *commands):
    """Runs nft commands on a host."""
    for command in commands:
        host.run(["nft", *command.split()])


def test_the_rtsp_server_accepts_an_offered_file_and_plays_it(full_testbed):
    testbed = full_testbed(refusing=["dss2"], without_consent=["dss2"])
    offer = ["sdp", "offer", "news", "dss2", "--config", testbed.daemon.config]
    printed = testbed.daemon.run(*offer)
    assert "c=IN IP4 198.51.100.7" in printed and "239." not in printed
    said = testbed.daemon.run(*offer, "--save")
    assert "Have it saved on dss2 as news.sdp" in said
    file = testbed["origin"].path("/run/etc/streams/news.dss2.sdp").read_bytes()
    assert file.decode().splitlines() == printed.splitlines()
    testbed.edges["dss2"].take("news.sdp", file)

    fits = testbed.daemon.ask("sdp", "check", "news", "dss2", "--config", testbed.daemon.config)
    assert fits["fits"] and [one["fits"] for one in fits["media"]] == [True, True]
    testbed.daemon.ask("reload")
    player = Mplayer(testbed["viewer"], f"{SITE}/news.smil")
    player.wait_for_play()
    testbed.daemon.wait_for("news/dss2", state="live")
    ok, steps = walk(testbed, "news", "--wait", "60s")
    assert ok and steps[:4] == [(step, "ok") for step in ("files", "source", "source", "edge")]
    assert testbed.daemon.wait_for("news/dss2")["state"] == "live"
    player.leave()


def test_check_finds_nothing_while_somebody_watches(light_testbed):
    testbed = light_testbed()
    testbed.edge.report_viewers(1)
    testbed.watch()
    testbed.wait_for(viewers=1)
    report = testbed.daemon.check()
    assert (report["errors"], report["warnings"]) == (0, 0), report


def test_check_finds_a_socket_that_the_web_server_cannot_open(light_testbed):
    testbed = light_testbed()
    origin = testbed["origin"]
    assert findings(testbed, "socket") == []
    origin.run(["chgrp", "daemon", "/run/dynrelay/control.sock"])
    ((severity, what),) = findings(testbed, "socket")
    assert severity == "error"
    assert "the user www-data may not open /run/dynrelay/control.sock: its group is daemon" in what
    origin.run(["chmod", "700", "/run/dynrelay"])
    (_, what), _ = findings(testbed, "socket")
    assert what == "/run/dynrelay does not let the user www-data through"


def test_check_says_that_the_daemon_does_not_run(light_testbed):
    testbed = light_testbed()
    testbed.daemon.program.stop()
    ((severity, what),) = findings(testbed, "daemon")
    assert severity == "warning"
    assert what.startswith("dynrelayd does not run")


def test_check_finds_a_reverse_path_filter_that_drops_the_encoder(light_testbed):
    """The origin's route back to this sender is not on the studio interface."""
    testbed = light_testbed(more="a=source-filter: incl IN IP4 * 10.77.0.2\n")
    origin, encoder = testbed["origin"], testbed["encoder"]
    encoder.run(["ip", "address", "add", "10.77.0.2/32", "dev", "eth0"])
    encoder.run(["ip", "route", "replace", "239.0.0.0/8", "dev", "eth0", "src", "10.77.0.2"])
    set_filter = "echo {} >/proc/sys/net/ipv4/conf/studio/rp_filter"
    origin.run(["sh", "-c", set_filter.format(1)])
    ((severity, what),) = findings(testbed, "reception")
    assert severity == "error"
    assert what == (
        "the reverse-path filter drops what 10.77.0.2 sends to studio, for the way back is over eth0"
    )
    testbed.edge.open(*testbed.ports)
    testbed.daemon.ask("start", "s01")
    assert testbed.wait_for(state="closed")["reason"] == "source-ended", "it does drop it"

    # The remedy that check names helps.
    origin.run(["sh", "-c", set_filter.format(2)])
    assert findings(testbed, "reception") == []
    testbed.daemon.ask("start", "s01")
    testbed.wait_for_packets(10)


def test_check_finds_receive_buffers_that_the_kernel_limits(light_testbed):
    testbed = light_testbed(more="b=AS:4000\n")
    assert findings(testbed, "reception") == []
    config = testbed["origin"].path(testbed.daemon.config)
    config.write_text(config.read_text().replace("[origin]", "receive_buffer = 1000000000\n[origin]"))
    ((severity, what),) = findings(testbed, "reception")
    assert severity == "warning"
    assert "of the 1.0 GB in the configuration; that holds" in what
    assert "of s01's video H264 (4.0 Mbit/s)" in what


def test_check_finds_a_firewall_that_drops_refusals_or_the_stream(light_testbed):
    testbed = light_testbed()
    origin = testbed["origin"]
    assert findings(testbed, "firewall") == []
    nft(
        origin,
        "add table inet wall",
        "add chain inet wall input { type filter hook input priority 0 ; policy accept ; }",
        "add rule inet wall input icmp type destination-unreachable counter drop",
    )
    ((severity, what),) = findings(testbed, "firewall")
    assert severity == "error"
    assert what.startswith(
        "the rule `icmp type destination-unreachable drop` of inet wall input drops ICMP"
    )
    # It does: the edge refuses, and no refusal arrives.
    testbed.daemon.ask("start", "s01")
    testbed.wait_while_sending(50)
    assert testbed.show()["refusals"] == 0

    nft(origin, "flush chain inet wall input")
    nft(
        origin,
        "add chain inet wall input { policy drop ; }",
        "add rule inet wall input ct state established,related accept",
        "add rule inet wall input ip saddr 198.51.100.0/24 accept",
        "add rule inet wall input ip protocol igmp accept",
    )
    ((severity, what),) = findings(testbed, "firewall")
    assert severity == "warning", "the sender may be the one that is let in"
    assert "the policy of inet wall input may drop the packets of s01 (239.1.1.1:5004)" in what
    nft(origin, "add rule inet wall input udp dport 5004-5005 accept")
    assert findings(testbed, "firewall") == []


def test_check_finds_a_firewall_that_drops_outgoing_packets(light_testbed):
    testbed = light_testbed()
    nft(
        testbed["origin"],
        "add table inet wall",
        "add chain inet wall output { type filter hook output priority 0 ; policy accept ; }",
        "add rule inet wall output oifname eth0 udp dport 6970 drop",
    )
    ((severity, what),) = findings(testbed, "firewall")
    assert severity == "error"
    assert what == (
        'the rule `oifname "eth0" udp dport 6970 drop` of inet wall output drops what goes to dss2: '
        "s01 (198.51.100.7:6970)"
    )
    testbed.edge.open(*testbed.ports)
    testbed.daemon.ask("start", "s01")
    assert testbed.wait_for(state="closed")["reason"] == "edge-unreachable", "it does drop it"
    media = testbed.show()["flows"][0]
    assert media["refusals"] == 0 and media["lost"] > 0, "nobody there has refused anything"


def test_check_finds_an_edge_that_does_not_answer(light_testbed):
    testbed = light_testbed()
    assert findings(testbed, "edges") == []
    testbed.edge.program.stop()
    ((severity, what),) = findings(testbed, "edges")
    assert severity == "warning"
    assert what.startswith("dss2 does not answer at rtsp://dss2.example.net: no connection to ")
    nft(
        testbed["dss2"],
        "add table inet wall",
        "add chain inet wall output { type filter hook output priority 0 ; policy accept ; }",
        "add rule inet wall output icmp type destination-unreachable drop",
    )
    _, (severity, what) = findings(testbed, "edges")
    assert severity == "unknown"
    assert what.startswith("dss2 (198.51.100.7) did not refuse packets to port 33434")


def test_check_finds_an_edge_that_never_sent_a_refusal(light_testbed):
    testbed = light_testbed()
    testbed.watch()
    assert findings(testbed, "edges") == []
    nft(
        testbed["dss2"],
        "add table inet wall",
        "add chain inet wall output { type filter hook output priority 0 ; policy accept ; }",
        "add rule inet wall output icmp type destination-unreachable drop",
    )
    ((severity, what),) = findings(testbed, "edges")
    assert severity == "warning"
    assert what.startswith("dss2 (198.51.100.7) has never sent back a refusal")


def limit_errors(host, milliseconds):
    """Limits a host's kernel to one ICMP error per destination in this time, after the first few."""
    host.run(["sysctl", "-qw", f"net.ipv4.icmp_ratelimit={milliseconds}"])


def test_check_finds_an_edge_whose_icmp_limit_hides_refusals(light_testbed):
    testbed = light_testbed()
    limit_errors(testbed["dss2"], 20_000)
    ((severity, what),) = findings(testbed, "edges")
    assert severity == "warning"
    assert what.startswith("dss2 (198.51.100.7) refuses a few packets, and then no more")


def test_a_walk_reports_unknown_when_the_edge_refuses_too_seldom(light_testbed):
    testbed = light_testbed(shutdown={"errors": 1000})
    limit_errors(testbed["dss2"], 30_000)
    ok, steps = walk(testbed, "s01", "--wait", "30s")
    assert ok and steps == [*BEFORE_THE_ANSWER, ("answer", "unknown"), ("end", "ok")]


def test_check_reports_as_unknown_anything_it_cannot_look_at(light_testbed):
    testbed = light_testbed()
    command = ["/run/bin/dynrelay", "check", "--config", testbed.daemon.config]
    done = testbed["origin"].run(command, user="bin")
    said = " ".join(done.stdout.split())
    assert "unknown this host's firewall rules can't be seen" in said
    assert "unknown dynrelayd can't be asked" in said
    assert "could not be looked at." in said


BEFORE_THE_ANSWER = [(step, "ok") for step in ("files", "source", "edge", "relay", "packets")]


def test_a_walk_fails_at_refusals_and_stops_the_relay_it_started(light_testbed):
    testbed = light_testbed(shutdown={"errors": 1000})
    ok, steps = walk(testbed, "s01", "--wait", "8s")
    assert not ok
    # The edge refuses RTCP too. That does not count.
    assert steps[:6] == [*BEFORE_THE_ANSWER, ("answer", "failed")]
    assert steps[-1] == ("end", "ok")
    assert testbed.daemon.relays() == []
    assert testbed.wait_for(state="closed")["reason"] == "stopped"


def test_a_walk_sees_the_edge_accept_when_a_viewer_comes(light_testbed):
    testbed = light_testbed(shutdown={"errors": 1000})
    command = walk_command(testbed, "s01", "--wait", "60s")
    program = testbed["origin"].start("walk", command)
    program.wait_for("ok +packets +video H264 is sent to 198.51.100.7:6970")
    program.wait_for("dss2 refuses: its ports are closed")
    testbed.edge.open(*testbed.ports)
    program.wait_for("ok +answer +video H264 is accepted at 198.51.100.7:6970")
    program.wait_for("ok +end +s01/dss2 is stopped: it did not run before")
    assert program.wait() == 0
    assert testbed.daemon.relays() == []


def test_a_walk_does_not_stop_a_running_relay(light_testbed):
    testbed = light_testbed()
    testbed.edge.report_viewers(1)
    testbed.watch()
    before = testbed.wait_for(viewers=1)
    ok, steps = walk(testbed, "--wait", "60s")
    assert ok and steps == [*BEFORE_THE_ANSWER, ("answer", "ok")]
    after = testbed.wait_for(state="live")
    assert (after["started"], after["refusals"]) == (before["started"], 0)


def test_a_walk_ends_at_the_first_step_that_fails(light_testbed):
    testbed = light_testbed()
    testbed.edge.program.stop()
    assert walk(testbed) == (False, [("files", "ok"), ("source", "ok"), ("edge", "failed")])
    testbed.broadcast.tell("pause")
    assert walk(testbed) == (False, [("files", "ok"), ("source", "failed")])
    testbed.daemon.add_file("s01.dss2.sdp", "v=0\n")
    assert walk(testbed, "s01") == (False, [("files", "failed")])
    assert testbed.daemon.relays() == []
