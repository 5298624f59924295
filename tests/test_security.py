"""Rights, hostile requests and floods: none harms a running relay."""

import re
import time
from pathlib import Path

import pytest

from lab.encoder import addressed_to
from lab.edge import VIDEO_PORT
from lab.network import address
from lab.player import Mplayer
from lab.program import Timeout
from lab.rtp import gaps
from lab.web import SITE, Apache, Lighttpd, fetch
from lab.capture import Capture

CONFIG = "/run/etc/dynrelay.toml"

# Nobody plays most of the streams here, and their relays must not close.
PATIENT = {"grace": "10m"}

# The daemon may grow by this much under a flood, in KiB.
GROWTH = 8 * 1024

# Opens connections to the socket and asks for the list on all of them for ever. Prints a line for
# each connection after a hundred answers.
_FLOOD = """
import itertools, os, socket, threading
def ask():
    caller = socket.socket(socket.AF_UNIX)
    caller.connect("/run/dynrelay/control.sock")
    lines = caller.makefile("rb")
    for asked in itertools.count():
        caller.sendall(b'{"op":"list","all":true}\\n')
        lines.readline()
        if asked == 100:
            os.write(1, b"floods\\n")
for _ in range(96):
    threading.Thread(target=ask).start()
"""


def memory(testbed):
    """The resident memory of dynrelayd, in KiB."""
    status = Path(f"/proc/{testbed.daemon.program.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s*(\d+) kB", status)[1])


def crowd(testbed, document, requests):
    """Starts ApacheBench: it requests a document, 50 at a time."""
    ask = ["ab", "-q", "-r", "-l", "-s", "60", "-n", requests, "-c", 50, f"{SITE}/{document}"]
    return testbed["guest"].start(f"ab {document}", ask)


def served(program):
    """The numbers of all answers and of failures that ApacheBench counted."""
    assert program.wait(300) == 0, program.tail()

    def count(what):
        return sum(int(line.split()[-1]) for line in program.said(rf"^{what}:\s+\d+$"))

    assert count("Failed requests") == 0, program.tail()
    return count("Complete requests"), count("Non-2xx responses")


def statuses(viewer, documents):
    """Requests many documents at once: status and Retry-After of each answer."""
    words = ["curl", "-s", "-Z", "--parallel-max", "20", "-o", "/dev/null"]
    words += ["-w", "%{http_code} %header{retry-after}\\n", f"{SITE}/{documents}"]
    answers = viewer.run(words, patience=120).stdout.splitlines()
    return [(int(status), wait) for status, _, wait in (line.partition(" ") for line in answers)]


def add_streams(testbed, count):
    """Adds streams that dss2 accepts, and allows one start a second."""
    for number in range(count):
        sdp = addressed_to(testbed.encoder.sdp, address("dss2"), 8000 + 4 * number, 8002 + 4 * number)
        testbed.daemon.add_file(f"many{number}.sdp", testbed.encoder.sdp)
        testbed.daemon.add_file(f"many{number}.dss2.sdp", sdp)
    config = testbed["origin"].path(CONFIG)
    config.write_text(config.read_text() + "[limits]\nstarts_per_second = 1\n")
    testbed.daemon.ask("reload")


@pytest.mark.long
@pytest.mark.xdist_group("flood")
@pytest.mark.parametrize("web", [Apache, Lighttpd])
def test_ten_thousand_requests_harm_no_relay_and_leave_nothing_behind(full_testbed, web):
    testbed = full_testbed(web=web, shutdown=PATIENT)
    add_streams(testbed, 30)
    player = Mplayer(testbed["viewer"], f"{SITE}/news.smil")
    player.wait_for_play()
    testbed.daemon.wait_for("news/dss2", state="live")
    served(crowd(testbed, "news.smil", 200))
    before = memory(testbed)
    arrives = Capture(testbed["dss2"], "eth0", f"udp and dst port {VIDEO_PORT}")

    known, unknown = crowd(testbed, "news.smil", 5000), crowd(testbed, "nothing.smil", 5000)
    begin = time.monotonic()
    answers = statuses(testbed["viewer"], "many[0-29].smil")
    passed = time.monotonic() - begin

    assert served(unknown) == (5000, 5000)
    assert served(known)[0] == 5000
    started = [status for status, _ in answers if status == 200]
    assert len(answers) == 30
    assert len(started) <= 2 + passed, "one a second"
    refused = [wait for status, wait in answers if status == 503]
    assert len(started) + len(refused) == 30
    assert all(wait.isdigit() for wait in refused) and refused, "each says when to try again"
    many = [relay for relay in testbed.daemon.relays() if relay["stream"] != "news"]
    assert len(many) == len(started)

    arrives.wait_for(lambda packets: len(packets) > 200, what="video at the edge")
    arrives.stop()
    assert gaps(arrives.payloads(VIDEO_PORT)) == 0
    flows = testbed.daemon.ask("show", "news")["relays"][0]["flows"]
    assert [(flow["drops"], flow["gaps"]) for flow in flows] == [(0, 0)] * len(flows)
    after = memory(testbed)
    print(f"{web.name}: {served(known)[1]} of 5000 were turned away; {before} to {after} KiB")
    assert after - before < GROWTH
    assert fetch(testbed["viewer"], "news.smil").status == 200
    player.leave()


def test_a_local_user_who_floods_the_socket_harms_nobody(full_testbed):
    testbed = full_testbed()
    player = Mplayer(testbed["viewer"], f"{SITE}/news.smil")
    player.wait_for_play()
    testbed.daemon.wait_for("news/dss2", state="live")
    before = memory(testbed)
    arrives = Capture(testbed["dss2"], "eth0", f"udp and dst port {VIDEO_PORT}")
    flood = testbed["origin"].start(
        "flood", ["/usr/bin/python3", "-c", _FLOOD], user="games", group="www-data"
    )
    flood.wait_for("floods", count=96)
    for _ in range(20):
        assert fetch(testbed["viewer"], "news.smil").status == 200
        assert testbed.daemon.relays(), "administrators too"
    arrives.wait_for(lambda packets: len(packets) > 100, what="video at the edge")
    arrives.stop()
    assert gaps(arrives.payloads(VIDEO_PORT)) == 0
    assert memory(testbed) - before < GROWTH
    assert flood.running
    flood.stop()
    player.leave()


def test_the_web_server_may_start_and_look_but_not_stop(full_testbed):
    testbed = full_testbed(shutdown=PATIENT)

    def dynrelay(user, *words):
        ask = ["/run/bin/dynrelay", "--socket", "/run/dynrelay/control.sock", *words]
        return testbed["origin"].run(ask, check=False, user=user)

    for words in [["start", "news"], ["list"], ["show", "news"], ["streams"], ["ping"]]:
        assert dynrelay("www-data", *words).returncode == 0, words
    for words in [["stop", "news/dss2"], ["reload"]]:
        refused = dynrelay("www-data", *words)
        assert refused.returncode == 1 and "may not" in refused.stderr, words
    assert dynrelay("games", "list").returncode == 3, "who can't open the socket can't ask"
    assert testbed.daemon.wait_for("news/dss2")["state"] != "closed"
    for user in ["daemon", "root"]:
        assert dynrelay(user, "reload").returncode == 0, user
    assert dynrelay("daemon", "stop", "news/dss2").returncode == 0


def test_a_hostile_request_forges_no_line_and_reaches_no_path(full_testbed):
    testbed = full_testbed(shutdown=PATIENT)
    for evil in [
        "../../../etc/passwd",
        "..%2f..%2fetc%2fpasswd.smil",
        "news%0aERROR%20forged.smil",
        "%1b%5b31mnews.smil",
        "%3cscript%3ealert(1)%3c/script%3e.smil",
        "news%00.smil",
        "caf%e9.smil",
        "?stream=%0d%0aLocation:%20http://evil.example/",
        "?stream=news%22%3e&format=smil",
        "?stream=news&format=..%2fx",
    ]:
        command = ["curl", "-sS", "-i", "--path-as-is", "--globoff", f"{SITE}/{evil}"]
        answer = testbed["viewer"].run(command).stdout
        assert re.match(r"HTTP/1.1 (400|404) ", answer), answer
        for trace in ["passwd", "forged", "alert(1)", "evil.example", "root:"]:
            assert trace not in answer, answer
    assert fetch(testbed["viewer"], "news.smil").status == 200
    for line in testbed.daemon.program.lines:
        assert line.isascii() and line.isprintable() and "forged" not in line, line
    with pytest.raises(Timeout):
        testbed.daemon.program.wait_for("passwd|alert|evil", patience=0.1)


def test_the_daemon_is_confined(full_testbed):
    testbed = full_testbed()
    status = Path(f"/proc/{testbed.daemon.program.pid}/status").read_text()
    assert re.search(r"(?m)^NoNewPrivs:\s*1$", status) and re.search(r"(?m)^Seccomp:\s*2$", status)
    assert re.search(r"(?m)^CapEff:\s*0+$", status)
    assert testbed.daemon.program.said("files are confined by Landlock")
    assert testbed.daemon.program.said("system calls are confined by seccomp")
