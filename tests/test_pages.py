"""The status page and the viewers' page in a browser, and their JSON."""

import json
import re
import signal

import pytest

from lab.browser import Browser
from lab.web import SITE, STATUS, Apache, Lighttpd, get

PHONE, DESK = 360, 1280

# Finds text whose contrast with its background is less than WCAG AA requires.
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
    """Two streams and a web server. The first stream is relayed."""
    testbed = light_testbed(streams=2)
    testbed.web = Apache(testbed["origin"])
    testbed.edge.open(testbed.ports[0])
    testbed.daemon.ask("start", "s01")
    testbed.wait_for("s01", state="live")
    # The daemon scans the other stream when somebody asks.
    testbed.daemon.wait_until(
        lambda: all(stream["on_air"] for stream in testbed.daemon.ask("streams")["streams"]),
        "both streams should be on air",
    )
    return testbed


def assert_sound(browser, but_for=None):
    """A page fits a phone, has enough contrast in both color schemes, has names for a screen reader,
    requests nothing from other hosts, and causes no browser errors except `but_for`."""
    for width in (PHONE, DESK):
        for dark in (False, True):
            browser.show(width, dark=dark)
            assert browser.run("return document.documentElement.scrollWidth") <= width
            assert browser.run(_PALE) == []
    browser.show(PHONE)
    heard = browser.accessible_nodes()
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

    # Focus, scroll position and selection stay while the numbers change.
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

    # The page updates without a reload.
    watched.daemon.ask("stop", "s01", "dss2")
    browser.wait_for_text("Nothing is relayed now.", "#sum")
    browser.wait_for_text("stopped by an administrator", "td.why")
    assert browser.run("return typeof mine") == "object"
    watched.daemon.ask("start", "s02")
    browser.wait_for("return document.getElementById('relay/s02/dss2')")
    assert_sound(browser)


@pytest.mark.xdist_group("browser")
@pytest.mark.long
def test_a_relays_page_shows_its_flows_its_rate_and_its_end(watched):
    browser = Browser(watched["origin"])
    browser.open(f"{STATUS}/relay/s01/dss2")
    browser.wait_for("return document.querySelector('svg.curve')")
    text = browser.text("main")
    for said in ("198.51.100.7:6970", "239.1.1.1:5004", "No refusal has ever", "video H264 RTP"):
        assert said in text, text
    roles = [role for role, _ in assert_sound(browser)]
    # On a phone a row looks like a card, and a screen reader still reads a row.
    assert roles.count("row") == 3 and "rowheader" in roles and "columnheader" in roles
    (picture,) = [name for role, name in browser.accessible_nodes() if role in ("image", "img")]
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
    assert_sound(browser)


@pytest.mark.xdist_group("browser")
@pytest.mark.long
def test_the_status_page_says_that_the_daemon_is_down_and_back(watched):
    browser = Browser(watched["origin"])
    browser.open(STATUS)
    origin, daemon = watched["origin"], watched.daemon
    daemon.program.stop(signal.SIGKILL)
    browser.wait_for_text("dynrelayd can't be reached.", "#sum")
    assert_sound(browser, but_for="503 (Service Unavailable)")
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
        # The same URL, spelled differently.
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
    assert_sound(browser)


def test_the_viewers_page_shows_off_air_and_the_daemon_leaves_the_group(light_testbed):
    testbed = light_testbed()
    Apache(testbed["origin"])
    testbed.broadcast.tell("pause")
    answer = get(testbed["viewer"], SITE)
    assert answer.status == 200 and ">Off air<" in answer.body, answer
    assert "239.1.1.1" not in testbed["origin"].run(["ip", "-4", "maddress", "show", "studio"]).stdout
    testbed.broadcast.tell("resume")
    # The daemon keeps a scan's result for a while, and then scans again.
    testbed.daemon.wait_until(
        lambda: ">On air<" in get(testbed["viewer"], SITE).body, "the stream should be on air"
    )
