"""The manual pages are valid, and describe what exists and nothing else.

Keys, formats, defaults and the daemon's options are compared by the crates' own tests, and metrics by
those of status.cgi.
"""

import os
import re
import subprocess
from http import HTTPStatus

import pytest

from lab.manual import PAGES, Manual, source, variants, vocabulary
from lab.binaries import BUILT, DYNRELAY, DYNRELAYD, PROJECT

# Variables that libraries look up.
BY_LIBRARIES = {"LISTEN_FDS": "listenfd", "NOTIFY_SOCKET": "sd-notify", "WATCHDOG_USEC": "sd-notify"}


def said(*command):
    """The complaints of a command."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return [line for line in (done.stdout + done.stderr).splitlines() if line]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_mandoc_and_groff_accept_a_manual_page(page):
    assert said("mandoc", "-Tlint", "-Wwarning", page) == []
    # groff as man-db runs it, without output.
    assert said("groff", "-ww", "-mandoc", "-Tutf8", "-rLL=78n", "-Kutf8", "-z", page) == []


def test_the_commands_options_and_arguments():
    page, words = Manual("dynrelay.1"), vocabulary()
    described = page.commands()
    assert described.keys() == words["commands"].keys()
    everywhere = set(words["everywhere"])
    for name, (options, arguments) in described.items():
        command = words["commands"][name]
        assert options - everywhere == set(command["options"]), name
        assert {word.rstrip(".,…") for word in command["arguments"]} <= arguments, name
    known = everywhere.union(*(command["options"] for command in words["commands"].values()))
    assert everywhere <= page.options() <= known


def test_the_environment_of_the_command():
    assert Manual("dynrelay.1").marked("ENVIRONMENT", "Ev") == set(vocabulary()["environment"])


def test_the_environment_of_the_daemon():
    looked_up = set(re.findall(r'env::var(?:_os)?\("(\w+)"\)', source("crates/dynrelayd/src")))
    manifest = (PROJECT / "crates/dynrelayd/Cargo.toml").read_text()
    looked_up |= {variable for variable, library in BY_LIBRARIES.items() if library in manifest}
    assert Manual("dynrelayd.8").marked("ENVIRONMENT", "Ev") == looked_up


@pytest.mark.parametrize("name", ["relay", "status"])
def test_the_environment_of_a_cgi_program_is_what_it_uses(name):
    environment = (PROJECT / "crates/cgi/src/environment.rs").read_text()
    # Each field begins a line of `Self {…}`, and goes on until the next.
    _, *fields = re.split(r"\n {12}(?=\w+: )", environment.partition("Self {")[2].partition("\n        }\n")[0])
    own = source(f"cgi-bin/{name}/src", "crates/cgi/src").replace("is_head", "method")
    used = {"CONTENT_LENGTH"}
    for field in fields:
        if re.search(rf"environment\.{field.partition(':')[0]}\b", own):
            used |= set(re.findall(r'"([A-Z_]{4,})"', field))
    assert Manual(f"{name}.cgi.8").marked("ENVIRONMENT", "Ev") == used


@pytest.mark.parametrize("name", ["relay", "status"])
def test_the_status_codes_of_a_cgi_program(name):
    text = source(f"cgi-bin/{name}/src")
    codes = {HTTPStatus[status].value for status in re.findall(r"StatusCode::([A-Z_]+)", text)}
    codes |= {int(code) for code in re.findall(r"_response\((\d+),", text)}
    told = Manual(f"{name}.cgi.8").section("DESCRIPTION").partition(".Ss Status codes")[2]
    assert {int(code) for code in re.findall(r"^\.It (\d+)", told, re.MULTILINE)} == codes - {200, 302}


def test_the_events_of_the_log():
    logged = set(re.findall(r'name: "([a-z-]+)"', source("crates/dynrelayd/src")))
    events = Manual("dynrelayd.8").section("LOG").partition("The events,")[2]
    assert set(re.findall(r"^\.It Li (\S+)", events, re.MULTILINE)) == logged | {"note"}


def test_states_reasons_and_refusals():
    words = vocabulary()
    states = {*words["relay"]["states"], *words["relay"]["reasons"]}
    assert Manual("dynrelay.1").items("STATES", "Li") == states
    codes = Manual("dynrelayd.8").section("CONTROL PROTOCOL").partition("The codes of errors:")[2]
    codes = set(re.findall(r"^\.It Li (\S+)", codes, re.MULTILINE))
    assert codes == set(words["protocol"]["codes"])


def test_requests_and_answers():
    control, page = source("crates/control/src", "crates/scan/src", "crates/model/src"), Manual("dynrelayd.8")
    protocol = page.section("CONTROL PROTOCOL")
    words = vocabulary()["protocol"]
    requests = set(re.findall(r'^\.It Li \{"op":"(\w+)"', protocol, re.MULTILINE))
    assert requests == set(words["requests"])
    fields = set(re.findall(r'^\s+(?:pub )?(\w+): |rename = "(\w+)"', control, re.MULTILINE))
    fields = {name for pair in fields for name in pair}
    told = set(re.findall("[a-z_]+", " ".join(page.marked("CONTROL PROTOCOL", "Li"))))
    for name in ("status", "reply", "request", "origin"):
        text = (PROJECT / "crates/control/src" / f"{name}.rs").read_text()
        sent = set(re.findall(r"^(?: {4}pub| {7}) ([a-z_]+): [^{\n]*,$", text, re.MULTILINE)) - {"relay", "after"}
        assert sent and sent <= told, sent - told
    enums = set(re.findall(r"enum (\w+) \{", control))
    known = fields | {"ok", "error", "op", "v"}.union(*(variants(control, enum) for enum in enums))
    known = known.union(words["codes"], *words["words"])
    known |= set(re.findall(r'"([a-z-]+)"', source("crates/dynrelayd/src")))
    marked = {word.strip('{}[]":,') for word in page.marked("CONTROL PROTOCOL", "Li")}
    marked = {word for word in marked if re.fullmatch("[a-z_]+", word)}
    assert marked <= known, marked - known


def test_what_check_and_scan_print():
    page, words = Manual("dynrelay.1"), vocabulary()
    findings = page.section("CHECKS").rpartition("A finding has")[2]
    steps = page.section("DESCRIPTION").partition("a step has")[2].partition(".It Ic")[0]
    for text, printed in ((findings, words["check"]), (steps, words["walk"])):
        for word in sum(printed.values(), []):
            assert re.search(rf"\b{word}\b", text), word
    assert set(words["scan"]) <= page.marked("SCANNING", "Li")


def test_the_exit_codes(tmp_path):
    nowhere, log = tmp_path / "nowhere", tmp_path / "dynrelayd.json"
    log.write_text("")
    asked = {
        "dynrelay.1": [
            [DYNRELAY, "--version"],
            [DYNRELAY, "sdp", "show", nowhere],
            [DYNRELAY, "report", log],
            [DYNRELAY, "--socket", nowhere, "ping"],
        ],
        "dynrelayd.8": [[DYNRELAYD, "--version"], [DYNRELAYD, "--config", nowhere], [DYNRELAYD, "--nix"]],
    }
    for name, commands in asked.items():
        codes = [subprocess.run(command, capture_output=True, check=False).returncode for command in commands]
        assert codes == list(range(len(commands))), name
        told = re.findall(r"^\.It (\d+)$", Manual(name).section("EXIT STATUS"), re.MULTILINE)
        assert [int(code) for code in told] == codes, name
    help_ = subprocess.run([DYNRELAY, "--help"], capture_output=True, text=True, check=False).stdout
    assert re.findall(r"(\d) [a-z]", help_.partition("Exit codes: ")[2].partition("\n")[0]) == list("0123")


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The files and folders that a package installs."""
    root = tmp_path_factory.mktemp("root")
    environment = dict(os.environ, DESTDIR=str(root))
    command = [PROJECT / "scripts/install", "--prefix", "/usr", "--from", BUILT]
    subprocess.run(command, env=environment, capture_output=True, check=True)
    return {f"/{path.relative_to(root)}" for path in root.rglob("*")}


def test_every_file_that_a_page_names_exists(installed):
    made = set(re.findall(r'"(/(?:run|var)[\w./]+)"', source("crates/control/src", "crates/catalog/src")))
    for page in PAGES:
        for path in Manual(page.name).items("FILES", "Pa"):
            assert path.rstrip("/") in installed | made, f"{page.name}: {path}"


def test_the_pages_name_every_file_that_an_administrator_edits(installed):
    pages = "".join(page.read_text() for page in PAGES)
    own = re.compile(r"/etc/.*\.(?:toml|conf)|/usr/lib/dynrelay/.*|/usr/share/doc/dynrelay/examples/[^/]*")
    for path in filter(own.fullmatch, installed):
        assert re.search(rf"^(?:\.It )?\.?Pa {re.escape(path)}/?( |$)", pages, re.MULTILINE), path
