"""The metrics of status.cgi, and the alert rules and the dashboard that use them."""

import json
import re
import signal

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from lab.binaries import PROJECT
from lab.prometheus import ALERTS, Prometheus, promtool
from lab.web import STATUS, Apache, Lighttpd, Nginx, get

DASHBOARD = PROJECT / "share" / "grafana-dashboard.json"
MANUAL = PROJECT / "share" / "man" / "status.cgi.8"

PASSWORD = "open sesame"


@pytest.fixture
def watched(light_testbed):
    """Two streams. The first is relayed, and the edge reports two viewers."""
    testbed = light_testbed(streams=2)
    testbed.edge.report_viewers(2)
    testbed.edge.open(testbed.ports[0])
    testbed.daemon.ask("start", "s01")
    testbed.wait_for("s01", state="live", viewers=2)
    return testbed


def metrics(testbed, *options):
    """The metrics, as somebody on the origin gets them."""
    return get(testbed["origin"], f"{STATUS}/metrics", *options)


def test_prometheus_accepts_the_metrics(watched):
    Apache(watched["origin"])
    opened = metrics(watched)
    assert opened.type == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    families = {family.name: family for family in text_string_to_metric_families(opened.body)}
    assert families["dynrelay_relay_sent_bytes"].unit == "bytes"
    (sent,) = families["dynrelay_relay_packets"].samples
    assert sent.labels == {"stream": "s01", "edge": "dss2"} and sent.value > 0
    on_air = families["dynrelay_stream_on_air"].samples
    assert ("s01", 1) in [(one.labels["stream"], one.value) for one in on_air]

    plain = metrics(watched, "-H", "Accept: text/plain;version=0.0.4")
    assert plain.type.startswith("text/plain; version=0.0.4")
    checked = promtool("check", "metrics", text=plain.body)
    assert (checked.returncode, checked.stderr) == (0, ""), checked

    named = {sample.name: set(sample.labels) for one in families.values() for sample in one.samples}
    assert described() == named


def described():
    """The metrics in the manual page, with their labels."""
    found = {}
    for name, rest in re.findall(r"^\.It Li (dynrelay_\w+)(.*)", MANUAL.read_text(), re.MULTILINE):
        labels = set(re.findall(r"[a-z]+", rest.partition("{")[2].replace("Li", "").replace("Ns", "")))
        found[name] = labels or ({"stream", "edge"} if name.startswith("dynrelay_relay_") else set())
    return found


@pytest.mark.parametrize("web", [Apache, Lighttpd, Nginx])
def test_prometheus_on_another_host_answers_every_query_of_dashboard_and_alerts(watched, web):
    server = web(watched["origin"], PASSWORD)
    url = STATUS.replace("localhost", "dss1.example.org")
    for user, status in (("", 401), ("prometheus:guess", 401), (f"prometheus:{PASSWORD}", 200)):
        assert get(watched["guest"], url, *(["-u", user] if user else [])).status == status, user
    odd = url.replace("/cgi-bin", "//cgi-bin/.").replace("status.cgi", "%73tatus%2ecgi")
    assert get(watched["guest"], odd, "--path-as-is").status in (401, 403, 404)
    prometheus = Prometheus(watched["guest"], PASSWORD)
    prometheus.wait_for('up{job="dynrelay"} == 1')
    # Only OpenMetrics has units.
    (told,) = prometheus.ask("metadata?metric=dynrelay_relay_sent_bytes")["dynrelay_relay_sent_bytes"]
    assert told["unit"] == "bytes", told

    # A closed relay gives every panel some data.
    watched.daemon.ask("start", "s02")
    prometheus.wait_for('dynrelay_relay_state{stream="s02"}')
    watched.daemon.ask("stop", "s02", "dss2")
    for expression, labels in asked():
        # Some panels show a series only if it is not zero.
        samples = prometheus.wait_for(expression.removesuffix(" > 0"))
        assert all(labels <= set(of) for of, _ in samples), (expression, samples)

    assert set(prometheus.states()) == set(re.findall(r"alert: (\w+)", ALERTS.read_text()))
    prometheus.wait_until(
        lambda: set(prometheus.states().values()) == {"inactive"}, "no alert has a reason"
    )
    watched.daemon.program.stop(signal.SIGKILL)
    prometheus.wait_until(lambda: prometheus.states()["DynrelayDown"] == "pending", "an alert")
    server.program.stop()
    prometheus.wait_until(lambda: prometheus.states()["DynrelayNotSeen"] == "pending", "an alert")


def dashboard():
    """The dashboard as Grafana reads it."""
    return json.loads(DASHBOARD.read_text())


def asked():
    """The dashboard's queries: expressions, and the labels in their legends."""
    targets = [target for panel in dashboard()["panels"] for target in panel["targets"]]
    return [
        (
            target["expr"].replace("$__rate_interval", "5m").replace("$instance", ".*"),
            set(re.findall(r"{{(\w+)}}", target["legendFormat"])),
        )
        for target in targets
    ]


def test_each_alert_fires_when_it_must_and_only_then():
    tests = PROJECT / "tests" / "alerts.yml"
    checked = promtool("test", "rules", tests)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert promtool("check", "rules", "--lint-fatal", ALERTS).returncode == 0
    tested = set(re.findall(r"alertname: (\w+)", tests.read_text()))
    assert tested == set(re.findall(r"alert: (\w+)", ALERTS.read_text()))


def test_the_dashboard_is_valid():
    board = dashboard()
    assert board["schemaVersion"] == 42 and board["uid"] and board["title"]
    variables = {variable["name"]: variable for variable in board["templating"]["list"]}
    assert variables["source"]["type"] == "datasource" and variables["source"]["query"] == "prometheus"
    source = {"type": "prometheus", "uid": "${source}"}
    assert variables["instance"]["datasource"] == source
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = set()
    for panel in panels:
        place, title = panel["gridPos"], panel["title"]
        assert place["w"] > 0 and place["h"] > 0 and place["x"] >= 0 and place["x"] + place["w"] <= 24, title
        squares = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not squares & taken, f"{title} lies on another panel"
        taken |= squares
        assert panel["datasource"] == source and panel["fieldConfig"]["defaults"]["unit"], title
        references = [target["refId"] for target in panel["targets"]]
        assert references and len(set(references)) == len(references), title
        for target in panel["targets"]:
            assert target["datasource"] == source, title
            used = set(re.findall(r"\$\{?(\w+)", target["expr"]))
            assert used <= {"__rate_interval", *variables}, title
            selected = target["expr"].count("{")
            assert selected and selected == target["expr"].count('instance=~"$instance"'), title
    # Each row is as wide as the dashboard.
    assert len(taken) == 24 * (1 + max(y for _, y in taken))


def test_alerts_and_dashboard_use_nearly_all_metrics_and_no_others():
    named = set(re.findall(r"\bdynrelay_\w+", ALERTS.read_text() + DASHBOARD.read_text()))
    assert named and named <= set(described())
    unused = {"dynrelay_uptime_seconds", "dynrelay_relay_start_time_seconds", "dynrelay_refused"}
    assert set(described()) - named <= unused
