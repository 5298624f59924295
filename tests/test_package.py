"""The Debian package, scripts/install, the systemd units and the shipped web server settings, on a fresh
Debian."""

import os
import re
import shutil
import subprocess

import pytest

from lab import debian_image
from lab.binaries import BUILT, PROJECT
from lab.package_testbed import CONFIG, PackageTestbed
from lab.web import SITE

SOCKET = "/run/dynrelay/control.sock"


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A folder that all workers of this run share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="module")
def debian():
    """A fresh Debian."""
    return debian_image.fresh()


@pytest.fixture(scope="module")
def packages(shared):
    """The package in two versions, the older first."""
    versions = ("0.1.0~early", "0.1.0")

    def make(folder):
        for version in versions:
            command = [PROJECT / "scripts/package", "--from", BUILT, "--to", folder]
            subprocess.run([*command, "--version", version], check=True, capture_output=True)

    folder = debian_image.once(shared / "packages", make)
    return [next(folder.glob(f"dynrelay_{version}_*.deb")) for version in versions]


@pytest.fixture
def testbed(request, debian):
    """The testbed. It prints the daemon's log if the test fails."""
    built = PackageTestbed(debian=debian)
    yield built
    if getattr(request.node, "failed", False):
        print(built.machine.journal())
        print(*(program.tail() for program in built.programs()), sep="\n\n")
    built.end()


def dpkg(machine, *words):
    """Runs dpkg on the machine, without questions."""
    command = ["env", "DEBIAN_FRONTEND=noninteractive", "dpkg", "--force-confold", *words]
    return machine.run(command, patience=180)


def install(machine, package):
    """Installs or updates a package."""
    machine.install(package, f"/run/{package.name}")
    dpkg(machine, "--install", f"/run/{package.name}")


def files(machine):
    """The files of the machine, without those that every installation changes."""
    passing = r"^/(dev|proc|sys|run|tmp|mnt|var/(log|cache|tmp)|var/lib/(dpkg|systemd|apache2|private))/|/\.updated$|-$"
    found = machine.run(["find", "/", "-xdev", "-not", "-type", "d"]).stdout.splitlines()
    return {file for file in found if not re.search(passing, file)}


def users(machine):
    """The users of the machine."""
    return machine.run(["cut", "-d:", "-f1", "/etc/passwd"]).stdout.split()


def serve_by_apache(machine):
    """Configures Apache as the README says."""
    machine.run(["a2enmod", "cgid"])
    machine.run(["a2enconf", "dynrelay"])
    machine.run(["systemctl", "restart", "apache2"])


@pytest.mark.long
def test_a_package_can_be_installed_updated_removed_and_purged(testbed, packages):
    machine = testbed.machine
    before, users_before = files(machine), users(machine)
    older, newer = packages
    install(machine, older)
    for unit in ("dynrelayd.service", "dynrelayd.socket"):
        assert machine.property("ActiveState", unit) == "active", machine.journal()
        assert machine.property("UnitFileState", unit) == "enabled"
    owner = machine.run(["stat", "-c", "%U:%G %a", SOCKET]).stdout.strip()
    assert owner == "dynrelay:www-data 660"
    assert testbed.fetch("/s01.smil") == 0, "nothing is published by itself"

    testbed.configure()
    serve_by_apache(machine)
    machine.run(["dynrelay", "check"])
    testbed.wait_for_answer("/s01.smil")
    testbed.wait_for_packets()
    assert "relays: 1, streams: 1, edges: 1" in machine.property("StatusText")

    testbed.ended(lambda _: install(machine, newer))
    testbed.wait_for_packets()
    assert machine.run(["dpkg-query", "-W", "-f", "${Version}", "dynrelay"]).stdout == "0.1.0"
    assert "[[edge]]\nname" in machine.path(CONFIG).read_text(), "settings are kept"
    testbed.wait_for_answer("/s01.smil")

    dpkg(machine, "--remove", "dynrelay")
    assert machine.property("ActiveState") in ("inactive", "failed")
    assert not machine.path(SOCKET).exists()
    assert machine.path(CONFIG).exists(), "only purging takes settings away"
    dpkg(machine, "--purge", "dynrelay")
    machine.run(["systemctl", "restart", "apache2"])
    machine.run(["a2dismod", "--force", "cgid"])
    assert files(machine) == before
    assert users(machine) == users_before
    for folder in ("/etc/dynrelay", "/var/lib/dynrelay", "/run/dynrelay", "/usr/lib/dynrelay"):
        assert not machine.path(folder).exists(), folder


def test_systemd_brings_the_daemon_and_its_relays_back(testbed, packages):
    machine = testbed.machine
    install(machine, packages[1])
    testbed.configure()
    machine.run(["dynrelay", "start", "s01"])
    testbed.wait_for_packets()

    def kill(number):
        return lambda _: machine.run(["systemctl", "kill", "-s", number, "dynrelayd.service"])

    # A crash.
    testbed.ended(kill("SIGKILL"))
    testbed.wait_for_packets()
    # A hung daemon: systemd's watchdog ends it.
    machine.write("/run/systemd/system/dynrelayd.service.d/soon.conf", "[Service]\nWatchdogSec=2s\n")
    machine.run(["systemctl", "daemon-reload"])
    testbed.ended(lambda _: machine.run(["systemctl", "restart", "dynrelayd"]))
    testbed.wait_for_packets()
    testbed.ended(kill("SIGSTOP"))
    assert "watchdog" in machine.journal().lower()
    testbed.wait_for_packets()

    # The journal finds relays by its fields.
    machine.run(["dynrelay", "stop", "s01/dss2"])
    machine.run(["dynrelay", "start", "s01"])
    testbed.wait_for_packets()
    closed = ["STREAM=s01", "EDGE=dss2", "REASON=stopped"]
    machine.wait_until(
        lambda: machine.run(["journalctl", "-q", "-o", "cat", *closed], check=False).stdout,
        "the journal should tell of the relay",
    )

    # A broken configuration changes nothing, and the reload fails.
    config = machine.path(CONFIG)
    good = config.read_text()
    config.write_text(good.replace("[origin]", "[orign]"))
    failed = machine.run(["systemctl", "reload", "dynrelayd"], check=False)
    assert failed.returncode != 0
    assert machine.property("ActiveState") == "active"
    config.write_text(good)
    machine.run(["systemctl", "reload", "dynrelayd"])
    testbed.wait_for_packets()

    # A request to the socket starts the stopped daemon.
    machine.run(["systemctl", "stop", "dynrelayd.service"])
    assert machine.path(SOCKET).exists()
    assert machine.run(["dynrelay", "list", "--json"]).stdout.count('"s01"') == 1
    testbed.wait_for_packets()

    status = machine.path(f"/proc/{machine.property('MainPID')}/status").read_text()
    for line in ["NoNewPrivs:\t1", "Seccomp:\t2", "CapBnd:\t0000000000000000"]:
        assert line in status
    mounts = machine.path(f"/proc/{machine.property('MainPID')}/mounts").read_text()
    assert re.search(r" / \S+ ro,", mounts) and re.search(r" /run/dynrelay \S+ rw,", mounts)


def test_the_units_pass_the_checks_of_systemd(testbed, packages):
    machine = testbed.machine
    install(machine, packages[1])
    units = ["dynrelayd.service", "dynrelayd.socket"]
    assert machine.run(["systemd-analyze", "verify", "--man=no", *units]).stderr == ""
    # The figure of docs/reliability.md.
    machine.run(["systemd-analyze", "security", "--threshold=13", "dynrelayd.service"])


def apache(module):
    """Debian's Apache with one of its CGI modules."""

    def start(testbed):
        machine = testbed.machine
        if module == "cgi":
            machine.run(["a2dismod", "mpm_event"])
            machine.run(["a2enmod", "mpm_prefork"])
        machine.run(["a2enmod", module])
        machine.run(["a2enconf", "dynrelay"])
        machine.run(["test", "-e", f"/etc/apache2/mods-enabled/{module}.load"])
        machine.run(["systemctl", "restart", "apache2"])

    return start


def lighttpd(*modules):
    """Debian's lighttpd, with these other modules."""

    def start(testbed):
        machine = testbed.machine
        machine.run(["lighty-enable-mod", *modules, "dynrelay"])
        machine.run(["systemctl", "restart", "lighttpd"])
        listening = ["ss", "-Hltn", "sport = :80"]
        origin = testbed.network["origin"]
        machine.wait_until(lambda: origin.run(listening).stdout, "lighttpd should listen")

    return start


def nginx(scene):
    """Debian's nginx and fcgiwrap."""
    machine = scene.machine
    site = "/etc/nginx/sites-available/default"
    machine.run(["sed", "-i", "s|server_name _;|&\\n\\tinclude snippets/dynrelay.conf;|", site])
    machine.run(["systemctl", "restart", "fcgiwrap.socket", "nginx"])


@pytest.mark.parametrize(
    "start",
    [apache("cgid"), apache("cgi"), lighttpd(), lighttpd("cgi"), nginx],
    ids=["apache-cgid", "apache-cgi", "lighttpd", "lighttpd-beside-cgi", "nginx"],
)
def test_the_shipped_web_server_settings_work(testbed, packages, start):
    install(testbed.machine, packages[1])
    testbed.configure()
    start(testbed)
    testbed.wait_for_answer("/s01.smil")
    assert testbed.fetch("/other.smil") == 404
    assert testbed.fetch("") == 200
    testbed.wait_for_packets()
    status = SITE.replace("relay", "status")
    for page in ("", "/metrics", "/relays.json"):
        assert testbed.fetch(page, status) == 403, "what is relayed is not for everybody"
        assert testbed.fetch(page, "http://127.0.0.1/cgi-bin/status.cgi", "origin") == 200


def test_scripts_install_removes_everything_that_it_installed(testbed):
    machine = testbed.machine
    before, users_before = files(machine), users(machine)
    source = machine.path("/run/source")
    for folder in ("scripts", "share", "cgi-bin"):
        shutil.copytree(PROJECT / folder, source / folder)
    (source / "target/release").mkdir(parents=True)
    for program in [BUILT / "dynrelayd", BUILT / "dynrelay", *BUILT.glob("*.cgi")]:
        shutil.copy(program, source / "target/release")

    def scripts_install(*words, check=True):
        return machine.run(["/run/source/scripts/install", *words], check=check)

    assert "installed  /usr/local/sbin/dynrelayd" in scripts_install().stdout
    again = scripts_install().stdout
    assert "installed" not in again and "restarted" not in again, again
    testbed.configure()
    serve_by_apache(machine)
    testbed.wait_for_answer("/s01.smil")
    testbed.wait_for_packets()
    (source / "target/release/dynrelay").write_bytes(b"#!/bin/sh\n")
    testbed.ended(lambda _: scripts_install())
    testbed.wait_for_packets()
    assert "kept" in scripts_install().stdout

    scripts_install("--remove")
    assert machine.property("ActiveState") in ("inactive", "failed")
    assert machine.path(CONFIG).exists()
    scripts_install("--purge")
    machine.run(["a2dismod", "--force", "cgid"])
    left = {file for file in files(machine) if not file.startswith("/run/source/")}
    assert left == before
    assert users(machine) == users_before
    wrong = scripts_install("--group", "no-such-group", check=False)
    assert wrong.returncode == 1 and "no-such-group" in wrong.stderr
    assert files(machine) == left
