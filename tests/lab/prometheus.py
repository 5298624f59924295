"""A Prometheus server that scrapes status.cgi with the settings in share/alerts.yml."""

import json
import shutil
import subprocess
from urllib.parse import quote

from . import program
from .binaries import PROJECT
from .web import get

ALERTS = PROJECT / "share" / "alerts.yml"

_API = "http://localhost:9090/api/v1"
_FOLDER = "/run/prometheus"

# Short intervals keep the tests short. A scrape may take one interval.
_PACE = "global: {scrape_interval: 2s, evaluation_interval: 1s}\n"


def _program(name):
    return shutil.which(name) or PROJECT / "target" / "tools" / name


def promtool(*words, text=None):
    """Runs promtool; returns the result of `subprocess.run`."""
    command = [_program("promtool"), *words]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False)


class Prometheus:
    """Prometheus on `host`. It scrapes the origin with `password`."""

    def __init__(self, host, password):
        self.host = host
        host.write(f"{_FOLDER}/prometheus.yml", _PACE + _from_comment(ALERTS.read_text()))
        host.write(f"{_FOLDER}/dynrelay-alerts.yml", ALERTS.read_text())
        host.write(f"{_FOLDER}/dynrelay.password", password)
        self.program = host.start(
            "prometheus",
            [_program("prometheus"), f"--config.file={_FOLDER}/prometheus.yml"]
            + [f"--storage.tsdb.path={_FOLDER}/data", "--web.listen-address=localhost:9090"],
        )
        self.program.wait_for("Server is ready to receive web requests")

    def ask(self, path):
        """The answer of its API at a path."""
        answer = get(self.host, f"{_API}/{path}")
        assert answer.status == 200, answer
        return json.loads(answer.body)["data"]

    def query(self, expression):
        """The current samples of an expression: labels and value of each."""
        result = self.ask(f"query?query={quote(expression)}")["result"]
        return [(one["metric"], float(one["value"][1])) for one in result]

    def wait_for(self, expression):
        """Waits until an expression has samples; returns them."""
        return self.wait_until(lambda: self.query(expression), f"{expression} should have samples")

    def wait_until(self, true, what):
        """Waits until `true()` is true; returns it. Fails at once if Prometheus ends."""
        failure = lambda: f"{what}: {self.ask('targets')}\n{self.program.tail()}"  # noqa: E731
        return program.wait_until(true, failure, alive=lambda: self.program.running)

    def states(self):
        """The state of each alert."""
        (group,) = self.ask("rules")["groups"]
        assert all(rule["health"] != "err" for rule in group["rules"]), group
        return {rule["name"]: rule["state"] for rule in group["rules"]}


def _from_comment(text):
    """The settings in the comment at the head of the alert rules."""
    head = text.partition("\ngroups:")[0]
    return "".join(line[4:] + "\n" for line in head.splitlines() if line.startswith("#   "))
