"""`dynrelay report` sums up logs of dynrelayd and of Darwin Streaming Server."""

import gzip
import json
import subprocess
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

from lab.network import address
from lab.binaries import DYNRELAY

DARWIN = Path(__file__).parent / "logs" / "StreamingServer.log"
JSON = {"log_format": "json"}


def report(*words, text=None):
    """Runs `dynrelay report`."""
    return subprocess.run(
        [DYNRELAY, "report", *words], input=text, capture_output=True, text=True, timeout=60
    )


def sums(*words, text=None):
    """The sums of `dynrelay report --json`."""
    done = report(*words, "--json", text=text)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def log_of(testbed, relays):
    """dynrelayd's log, once `relays` relays have closed."""
    testbed.daemon.program.wait_for('"event":"closed"', count=relays)
    return "\n".join([*testbed.daemon.program.lines, ""])


def test_a_report_of_the_daemons_log_agrees_with_show(light_testbed):
    testbed = light_testbed(streams=2, settings=JSON)
    testbed.edge.report_viewers(3)
    testbed.edge.open(*testbed.ports)
    for client in ["viewer", "guest"]:
        testbed.daemon.ask("start", "s01", "--client", address(client))
    testbed.daemon.ask("start", "s02", "--client", "2001:db8:7::9")
    for stream in testbed.streams:
        testbed.wait_for(stream, state="live", viewers=3)
    testbed.wait_for_packets(100)

    # s01 stops and starts again. Then both relays lose their viewers.
    testbed.daemon.ask("stop", "s01/dss2")
    testbed.daemon.ask("start", "s01", "--client", address("viewer"))
    testbed.wait_for(state="live")
    testbed.edge.close(*testbed.ports)
    for stream in testbed.streams:
        testbed.wait_for(stream, state="closed", reason="no-viewers")
    shown = [one for stream in testbed.streams for one in testbed.daemon.ask("show", stream)["relays"]]
    assert len(shown) == 3

    # One more relay runs until it is stopped.
    testbed.edge.open(*testbed.ports)
    testbed.daemon.ask("start", "s02", "--client", address("viewer"))
    testbed.wait_for("s02", state="live")
    assert sums("-", text=log_of(testbed, 3))["running"] == 1
    shown.append(testbed.daemon.ask("stop", "s02/dss2"))
    # The log sums up starts at the end of a minute, and when the daemon ends.
    assert testbed.daemon.program.stop() == 0
    said = sums("-", text=log_of(testbed, 4))

    assert said["lines"]["broken"] == said["running"] == 0
    assert said["reasons"] == {"no-viewers": 2, "stopped": 2}
    assert [row["name"] for row in said["streams"]] == testbed.streams
    assert [row["name"] for row in said["edges"]] == ["dss2"]
    for row in said["streams"]:
        of = [relay for relay in shown if relay["stream"] == row["name"]]
        assert row["relays"] == len(of) == 2
        assert row["packets"] == sum(relay["packets"] for relay in of) > 0
        assert row["sent"] == sum(relay["bytes"] for relay in of)
        assert row["refusals"] == sum(relay["refusals"] for relay in of) > 0
    assert said["total"]["reported"] > 0, "three viewers, as the edge said"
    starts = {row["name"]: row["starts"] for row in said["networks"]}
    assert starts == {"203.0.113.0/24": 4, "2001:db8:7::/48": 1}
    # The times of the relays, to the second.
    took = sum(relay["since"] - relay["started"] for relay in shown)
    assert abs(said["total"]["relayed"] - took) <= len(shown)


def test_a_report_reads_a_log_of_darwin_streaming_server():
    said = sums(DARWIN)
    total = said["total"]
    assert (total["sessions"], total["failed"]) == (7, 2)
    assert total["watched"] == 871 + 300 + 2400 + 5400 + 3600 + 3600 + 60
    assert total["served"] == total["watched"] * 125_000
    streams = {row["name"]: row for row in said["streams"]}
    assert streams["sport"]["watched"] == 9000 and streams["nwes"]["failed"] == 1
    assert said["statuses"] == {"200": 6, "404": 1, "452": 1, "504": 1}
    assert [row["name"] for row in said["edges"]] == ["dss2.example.net"]
    networks = {row["name"]: row["sessions"] for row in said["networks"]}
    assert networks == {
        "203.0.113.0/24": 4,
        "198.18.4.0/24": 2,
        "2001:db8:7::/48": 1,
        "198.18.9.0/24": 0,
    }
    # One session began on the first day and ended on the second.
    first, second = said["days"]
    assert (first["sessions"], second["sessions"]) == (6, 1)
    assert second["watched"] == 1800 + 60
    assert (said["lines"]["broken"], said["broken"][0]["line"]) == (1, 12)

    part = sums(DARWIN, "--since", "2024-07-17", "--stream", "news", "--edge", "198.51.100.7")
    assert part["total"]["served"] == (1800 + 60) * 125_000
    assert [row["name"] for row in part["days"]] == ["2024-07-17"]


def test_tables_fit_a_terminal_and_broken_lines_go_to_standard_error(tmp_path):
    packed = tmp_path / "StreamingServer.log.1.gz"
    packed.write_bytes(gzip.compress(DARWIN.read_bytes()))
    done = report(packed)
    assert done.returncode == 0
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "\x1b" not in done.stdout + done.stderr
    assert "504 the viewer vanished" in done.stdout
    assert "1 line of 20 could not be read" in done.stderr and "line 12: fewer fields" in done.stderr

    assert report(tmp_path / "none").returncode == 1
    done = report(DARWIN, tmp_path / "none")
    assert done.returncode == 1 and "news" in done.stdout and "none" in done.stderr
    packed.write_bytes(packed.read_bytes()[:-99])
    done = report(DARWIN, packed)
    assert done.returncode == 1 and "can't be read to its end" in done.stderr


class Page(HTMLParser):
    """The elements of a page, and the URLs that it would load."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.loads = Counter(), [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        self.loads += [value for name, value in attrs if name in ("src", "href", "srcset", "data")]
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags[tag] += 1

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_one_file_with_plots(tmp_path):
    evil = tmp_path / "evil.log"
    script = "/<script>alert(1)</script>.sdp"
    evil.write_text(DARWIN.read_text().replace("/sport.sdp", script))
    done = report("--html", DARWIN, evil)
    page = Page(done.stdout)
    assert page.open == [] and page.loads == [] and page.tags["script"] == 0
    assert page.tags["svg"] == 2 and page.tags["table"] == 5
    assert "&lt;script&gt;" in done.stdout and "default-src 'none'" in done.stdout
