"""dynrelayd on the origin, and the dynrelay command that asks it."""

import json

from . import program
from .network import address
from .binaries import DYNRELAY, DYNRELAYD

SOCKET = "/run/dynrelay/control.sock"
_CONFIG = "/run/etc/dynrelay.toml"

# Every Debian has this user, and it owns nothing here.
_USER = "daemon"

# Short times keep the tests short. The tests wait for events all the same.
SHUTDOWN = {"errors": 3, "quiet": "1s", "grace": "5s", "source_silence": "4s"}


class Daemon:
    """dynrelayd as an ordinary user on `host`. Its streams folder is /run/etc/streams."""

    config = _CONFIG

    def __init__(self, host, edges, shutdown=None, serves=None, settings=None):
        """`edges` are host names. `serves` maps one of them to the networks that it serves.

        `settings` are further keys of [daemon].
        """
        self.host = host
        for program in (DYNRELAYD, DYNRELAY):
            host.install(program, f"/run/bin/{program.name}")
        host.path("/run/etc/streams").mkdir(parents=True, exist_ok=True)
        config = _config(edges, {**SHUTDOWN, **(shutdown or {})}, serves or {}, settings or {})
        host.write(_CONFIG, config)
        host.run(["install", "-d", "-o", _USER, "-m", "755", "/run/dynrelay"])
        self.program = None

    def start(self):
        """Starts dynrelayd; returns once it answers."""
        self.program = self.host.start(
            "dynrelayd", ["/run/bin/dynrelayd", "--config", _CONFIG], user=_USER, group="www-data"
        )
        self.wait_until(lambda: self._dynrelay("list").returncode == 0, "dynrelayd should answer", 20)

    def add_file(self, file, sdp):
        """Writes a file into the streams folder."""
        self.host.write(f"/run/etc/streams/{file}", sdp)

    def ask(self, *words):
        """The answer of `dynrelay … --json`."""
        return json.loads(self._dynrelay(*words, "--json", check=True).stdout)

    def table(self):
        """The table of `dynrelay list`."""
        return self.run("list")

    def run(self, *words):
        """The output of `dynrelay …` for people."""
        return self._dynrelay(*words, check=True).stdout

    def check(self):
        """The report of `dynrelay check`, with errors or without."""
        return json.loads(self._dynrelay("check", "--config", _CONFIG, "--json").stdout)

    def command(self, *words):
        """The command that runs `dynrelay …` on the origin."""
        return self.host.enter(["/run/bin/dynrelay", "--socket", SOCKET, *words])

    def follow(self, *words):
        """Starts `dynrelay …` and does not wait for its end."""
        return self.host.start("dynrelay", ["/run/bin/dynrelay", "--socket", SOCKET, *words])

    def scan(self, *words):
        """Runs `dynrelay scan …` as an unprivileged user."""
        return self.host.run(
            ["/run/bin/dynrelay", "scan", "--config", _CONFIG, *words], check=False, user="www-data"
        )

    def _dynrelay(self, *words, check=False):
        return self.host.run(["/run/bin/dynrelay", "--socket", SOCKET, *words], check=check)

    def relays(self, closed=False):
        """The relays that run. With `closed`, the relays that have closed."""
        relays = self.ask("list", "--all")["relays"]
        return [relay for relay in relays if (relay["state"] == "closed") == closed]

    def wait_for(self, wanted, patience=60, **fields):
        """Waits for a relay with these fields, such as state="live"; returns it.

        `wanted` is `stream/edge`. If there are several such relays, the latest counts.
        """

        def found():
            relays = [
                relay
                for relay in self.ask("list", "--all")["relays"]
                if f"{relay['stream']}/{relay['edge']}" == wanted
                and all(relay.get(name) == value for name, value in fields.items())
            ]
            return max(relays, key=lambda relay: relay["started"], default=None)

        return self.wait_until(found, f"{wanted} should be {fields}", patience)

    def wait_until(self, true, what, patience=60):
        """Waits until `true()` is true; returns it. Fails at once if the daemon ends."""
        failure = lambda: f"{what}:\n{self.program.tail()}"  # noqa: E731
        return program.wait_until(true, failure, patience, lambda: self.program.running)


def _config(edges, shutdown, serves, settings):
    lines = [
        "[daemon]",
        f'socket = "{SOCKET}"',
        'socket_group = "www-data"',
        'state = "/run/dynrelay/state.json"',
        *(f"{name} = {json.dumps(value)}" for name, value in settings.items()),
        "[origin]",
        'url = "rtsp://dss1.example.org"',
        'local = ["192.0.2.0/24"]',
        'interface = "studio"',
        "[shutdown]",
        *(f"{name} = {json.dumps(value)}" for name, value in shutdown.items()),
    ]
    for edge in edges:
        lines += [
            "[[edge]]",
            f'name = "{edge}"',
            f'address = "{address(edge)}"',
            f'url = "rtsp://{edge}.example.net"',
            f"serves = {json.dumps(serves.get(edge, []))}",
        ]
    return "\n".join([*lines, ""])
