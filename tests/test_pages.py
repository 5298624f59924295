"""What is relayed, in a browser and for scripts; and the viewers' page."""

import json
import re
import signal

import pytest

from lab.browser import Browser
from lab.web import SITE, STATUS, Apache, Lighttpd, get

PHONE, DESK = 360, 1280

# Text whose contrast with what is behind it is less than WCAG's AA asks for.
_PALE = """
const channels = (text) => text.match(/[\\d.]+/g).map(Number);
const light = (colour) => {
  const [r, g, b] = channels(colour).slice(0, 3).map((value) => {
    const share = value / 255;
    return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const colour = getComputedStyle(at).backgroundColor;
    if ((channels(colour)[3] ?? 1) > 0) return colour;
  }
  return "rgb(255, 255, 255)";
};
const pale = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || element.closest("noscript, script")) continue;
  const [one, other] = [getComputedStyle(element).color, behind(element)].map(light);
  const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
  if (contrast < 4.5) pale.push(`${walker.currentNode.data.trim()}: ${contrast.toFixed(1)}`);
}
return pale;
"""


@pytest.fixture
def watched(light_testbed):
    """Two streams, of which the first is relayed, and a web server."""
    testbed = light_testbed(streams=2)
    testbed.web = Apache(testbed["origin"])
    testbed.edge.open(testbed.ports[0])
    testbed.daemon.ask("start", "s01")
    testbed.wait_for("s01", state="live")
    # To the other one the daemon listens when it is asked.
    testbed.daemon.wait_until(
        lambda: all(stream["on_air"] for stream in testbed.daemon.ask("streams")["streams"]),
        "both streams should be on air",
    )
    return testbed


def is_sound(browser, but_for=None):
    """A page is wide enough for a phone, dark enough by day and light enough by night, has names for
    all that a screen reader finds, has asked for nothing that isn't on its own host, and gave the
    browser nothing to complain of, `but_for` what it says itself."""
    for width in (PHONE, DESK):
        for dark in (False, True):
            browser.show(width, dark=dark)
            assert browser.run("return document.documentElement.scrollWidth") <= width
            assert browser.run(_PALE) == []
    browser.show(PHONE)
    heard = browser.heard()
    for role, name in heard:
        assert name or role not in ("table", "img", "link", "button", "heading"), role
    foreign = [url for url in browser.requests() if not url.startswith("http://localhost/cgi-bin/")]
    assert foreign == []
    complaints = browser.complaints()
    assert [line for line in complaints if but_for is None or but_for not in line] == []
    return heard


@pytest.mark.xdist_group("browser")
@pytest.mark.long
def test_the_status_page_updates_in_place(watched):
    browser = Browser(watched["origin"])
    browser.show(DESK, height=300)
    browser.open(STATUS)
    assert browser.text("#sum") == "1 relay: 1 live."
    assert browser.text('[id="stream/s02"] [data-name="On air"]') == "on air"

    # What is under the reader's hand stays there while the numbers change.
    sent = '[id="relay/s01/dss2"] [data-name=Sent]'
    before = browser.text(sent)
    browser.run(
        "window.mine = document.querySelector('th a'); mine.focus({preventScroll: true});"
        "scrollTo(0, 120); getSelection().selectAllChildren(document.querySelector('#sum'))"
    )
    browser.wait_for("return document.querySelector(arguments[0]).innerText != arguments[1]", sent, before)
    kept = "return [document.activeElement == mine, scrollY, String(getSelection())]"
    assert browser.run(kept) == [True, 120, "1 relay: 1 live."]
    browser.wait_for("return document.querySelectorAll('polyline').length == 2")

    # Without a word from the reader, and on the same page, it is told what happens.
    watched.daemon.ask("stop", "s01", "dss2")
    browser.wait_for_text("Nothing is relayed now.", "#sum")
    browser.wait_for_text("stopped by an administrator", "td.why")
    assert browser.run("return typeof mine") == "object"
    watched.daemon.ask("start", "s02")
    browser.wait_for("return document.getElementById('relay/s02/dss2')")
    is_sound(browser)


@pytest.mark.xdist_group("browser")
@pytest.mark.long
def test_a_relays_page_shows_its_flows_its_rate_and_its_end(watched):
    browser = Browser(watched["origin"])
    browser.open(f"{STATUS}/relay/s01/dss2")
    browser.wait_for("return document.querySelector('svg.curve')")
    text = browser.text("main")
    for said in ("198.51.100.7:6970", "239.1.1.1:5004", "No refusal has ever", "video H264 RTP"):
        assert said in text, text
    roles = [role for role, _ in is_sound(browser)]
    # A row on a phone looks like none, and is read as one all the same.
    assert roles.count("row") == 3 and "rowheader" in roles and "columnheader" in roles
    (picture,) = [name for role, name in browser.heard() if role in ("image", "img")]
    assert re.fullmatch(r"Rate over the last 10 minutes: at least .* at the end \d+ kbit/s", picture)
    watched.edge.close(watched.ports[0])
    browser.wait_for_text("no-viewers nobody watches there any more", "#sum")
    assert browser.complaints() == []


@pytest.mark.xdist_group("browser")
@pytest.mark.long
def test_the_status_page_works_without_scripts(watched):
    browser = Browser(watched["origin"], scripts=False)
    browser.open(STATUS)
    assert browser.text("#sum") == "1 relay: 1 live."
    assert browser.run("return document.querySelector('noscript meta')?.content") == "30"
    assert browser.run("return document.querySelector('button')") is None
    is_sound(browser)


@pytest.mark.xdist_group("browser")
@pytest.mark.long
def test_the_status_page_says_that_the_daemon_is_down_and_back(watched):
    browser = Browser(watched["origin"])
    browser.open(STATUS)
    origin, daemon = watched["origin"], watched.daemon
    daemon.program.stop(signal.SIGKILL)
    browser.wait_for_text("dynrelayd can't be reached.", "#sum")
    is_sound(browser, but_for="503 (Service Unavailable)")
    assert get(origin, STATUS).status == 503
    down = get(origin, f"{STATUS}/relays.json")
    assert (down.status, down.type) == (503, "application/json")
    assert "can't be reached" in json.loads(down.body)["error"]["message"]
    metrics = get(origin, f"{STATUS}/metrics")
    assert metrics.status == 200 and "\ndynrelay_up 0\n" in metrics.body

    daemon.start()
    browser.wait_for_text("1 relay: 1", "#sum")
    watched.web.program.stop()
    browser.wait_for_text("The web server does not answer", "#note")
    assert browser.text("#sum").startswith("1 relay")


@pytest.mark.parametrize("web", [Apache, Lighttpd])
def test_only_the_host_itself_sees_the_status(light_testbed, web):
    testbed = light_testbed()
    web(testbed["origin"])
    for path in ("", "/", "/metrics", "/relays.json", "/relay/s01/dss2", "/style.css"):
        url = f"http://www.example.org/cgi-bin/status.cgi{path}"
        assert get(testbed["viewer"], url).status == 403, path
        # Other ways to write the same.
        for odd in (url.replace("/cgi-bin", "//cgi-bin/."), url.replace("status.cgi", "%73tatus%2ecgi")):
            assert get(testbed["viewer"], odd, "--path-as-is").status in (403, 404), odd
        assert get(testbed["origin"], STATUS + path).status == (404 if "s01" in path else 200), path
    assert get(testbed["viewer"], SITE).status == 200
    assert get(testbed["origin"], STATUS, "-X", "POST", "-d", "x=1").status == 405


def test_relays_json_holds_what_list_prints(watched):
    answer = get(watched["origin"], f"{STATUS}/relays.json")
    assert answer.type == "application/json"
    (relay,) = json.loads(answer.body)["relays"]
    (printed,) = watched.daemon.relays()
    assert relay.keys() == printed.keys() and relay["started"] == printed["started"]


@pytest.mark.xdist_group("browser")
@pytest.mark.long
def test_the_viewers_page_has_a_link_for_each_player(watched):
    browser = Browser(watched["origin"])
    browser.open("http://localhost/cgi-bin/relay.cgi")
    assert "2 streams are on air now." in browser.text("main")
    links = browser.run("return [...document.querySelectorAll('section a')].map((a) => a.pathname)")
    endings = ["m3u", "smil", "qtl", "xspf", "ram", "pls", "asx", "redirect"]
    assert sorted(links) == sorted(
        f"/cgi-bin/relay.cgi/{name}.{ending}" for name in ("s01", "s02") for ending in endings
    )
    is_sound(browser)


def test_the_viewers_page_shows_off_air_and_the_daemon_leaves_the_group(light_testbed):
    testbed = light_testbed()
    Apache(testbed["origin"])
    testbed.broadcast.tell("pause")
    answer = get(testbed["viewer"], SITE)
    assert answer.status == 200 and ">Off air<" in answer.body, answer
    assert "239.1.1.1" not in testbed["origin"].run(["ip", "-4", "maddress", "show", "studio"]).stdout
    testbed.broadcast.tell("resume")
    # What was heard holds for a while; then it is listened anew.
    testbed.daemon.wait_until(
        lambda: ">On air<" in get(testbed["viewer"], SITE).body, "the stream should be on air"
    )
