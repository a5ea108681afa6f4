"""What is printed from the catalogue or written against it: document, alert rules, dashboard."""

from __future__ import annotations

import json
import re
import subprocess
from functools import partial
from pathlib import Path

import pytest
import trio
import yaml

from fakes.watched import open_watched
from gogate_trio.internal.catalogue import METRICS, PROCESS
from gogate_trio.internal.table import with_metrics_table

ROOT = Path(__file__).parent.parent.parent
DOCUMENT = ROOT / "docs" / "metrics.md"
RULES = ROOT / "deploy" / "prometheus" / "gogate-alerts.yml"
RULES_TEST = RULES.with_stem("gogate-alerts-test")
DASHBOARD = ROOT / "deploy" / "grafana" / "gogate.json"

NAME = re.compile(r"\b(?:gogate|process)_[a-z_]+\b")
SELECTOR = re.compile(r"\b((?:gogate|process)_[a-z_]+)\{([^}]*)\}")
MATCHER = re.compile(r'([a-z]+)(!?=~?)"([^"]*)"')
SCRAPED = {"job", "instance"}
"""Labels that Prometheus adds to everything it scrapes."""


def alerts():
    """Every alert rule."""
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    return group["rules"]


def expressions():
    """Every expression an operator is given, by where it stands."""
    found = {f"alert {rule['alert']}": rule["expr"] for rule in alerts()}
    dashboard = json.loads(DASHBOARD.read_text())
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            found[f"panel {panel['title']} {target['refId']}"] = target["expr"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            found[f"variable {variable['name']}"] = variable["query"]
    for annotation in dashboard["annotations"]["list"]:
        found[f"annotation {annotation['name']}"] = annotation["expr"]
    return found


@pytest.fixture
async def series(fake):
    """What a fresh node exposes: name → the labels of each of its series."""
    async with open_watched(fake) as node:
        exposed = {}
        for name, labels in await node.series():
            exposed.setdefault(name, []).append(labels)
        return exposed


async def test_the_exposition_has_exactly_what_the_catalogue_names(series):
    """Nothing is told that is not documented, and nothing is documented that is not told."""
    endings = {"counter": ("",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
    named = {one.name + end for one in METRICS for end in endings[one.kind]}

    assert series.keys() == named | {name for name, _, _ in PROCESS}


async def test_names_say_what_they_count():
    """Counters end in _total, and nothing else does; histograms are in seconds; help is there."""
    for one in METRICS:
        assert one.name.startswith("gogate_")
        assert one.name.endswith("_total") == (one.kind == "counter")
        assert one.name.endswith("_seconds") == (one.kind == "histogram")
        assert one.help.endswith(".") or one.help.endswith("runs.")
    assert len({one.name for one in METRICS}) == len(METRICS)


async def test_labels_are_those_of_the_catalogue(series):
    """And no series has another, so that their number stays bounded."""
    for one in METRICS:
        name = f"{one.name}_count" if one.kind == "histogram" else one.name
        assert {tuple(sorted(labels)) for labels in series[name]} == {tuple(sorted(one.labels))}


def test_the_document_has_the_table_of_today():
    """Write it anew with ``python -m gogate_trio.internal.table docs/metrics.md``."""
    assert with_metrics_table(DOCUMENT.read_text()) == DOCUMENT.read_text()


@pytest.mark.parametrize("document", ["", "<!-- metrics -->", "<!-- /metrics --><!-- metrics -->"])
def test_a_document_without_a_place_for_the_table_is_refused(document):
    """A table is never put in a guessed place."""
    with pytest.raises(ValueError, match="needs one"):
        with_metrics_table(document)


def test_the_document_explains_every_alert():
    """Name and severity as in the rules; what it means and where to look, by hand."""
    text = DOCUMENT.read_text().partition("<!-- alerts -->")[2].partition("<!-- /alerts -->")[0]
    rows = [line.strip("|").split("|") for line in text.strip().splitlines()[2:]]
    told = {row[0].strip(" `"): row[1].strip() for row in rows}

    assert told == {rule["alert"]: rule["labels"]["severity"] for rule in alerts()}
    assert all(len(row) == 4 and all(cell.strip() for cell in row) for row in rows)


def test_every_alert_says_who_and_what():
    """The page at three in the morning names the instance, and what it means."""
    for rule in alerts():
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert "$labels.instance" in rule["annotations"]["summary"]
        assert rule["annotations"]["description"].endswith(".") or "?" in str(rule)


async def test_operators_are_given_only_metrics_that_exist(series):
    """Every name in a rule or a panel is in the exposition, with the labels it is asked for."""
    for where, expression in expressions().items():
        names = set(NAME.findall(expression)) or {"up"} & set(expression.split("{"))
        assert names, where
        assert names <= {*series, "up"}, where
        for name, matchers in SELECTOR.findall(expression):
            for label, operator, value in MATCHER.findall(matchers):
                known = {labels.get(label) for labels in series[name]}
                if label in SCRAPED:
                    continue
                values = value.split("|") if "~" in operator else [value]
                assert known >= set(values), f"{where}: {name} {label}"


async def test_sums_keep_only_labels_that_exist(series):
    """``by (…)`` names labels of the metric it sums, or those Prometheus adds."""
    for where, expression in expressions().items():
        for group, name in re.findall(r"by \(([^)]*)\) \((?:rate|increase)?\(?(\w+)", expression):
            labels = {label for each in series[name] for label in each} | SCRAPED
            assert {one.strip() for one in group.split(",")} <= labels, where


def test_the_dashboard_shows_every_metric():
    """What is counted is shown somewhere; what a client library tells beside it need not be."""
    shown = {name for text in expressions().values() for name in NAME.findall(text)}
    names = {f"{one.name}_bucket" if one.kind == "histogram" else one.name for one in METRICS}
    quiet = {"gogate_sockets", "gogate_outbox_bytes", "gogate_history_events"}
    quiet |= {"gogate_membership_chats", "gogate_stream_gaps_total"}
    quiet |= {"gogate_late_publications_total", "gogate_backend_circuit_opened_total"}
    quiet |= {"gogate_state_restores_total"}

    assert names - quiet <= shown


def test_the_dashboard_can_be_imported():
    """Panels have ids of their own, do not overlap, and take the data source that is chosen."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    places = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & places, panel["title"]
        assert at["x"] + at["w"] <= 24
        places |= cells
        if panel["type"] != "row":
            assert panel["datasource"]["uid"] == "${datasource}"
    assert len({panel["id"] for panel in panels}) == len(panels)


def test_the_example_of_prometheus_takes_the_rules():
    """Its rule file is there, and its job is the one the rules ask for."""
    config = yaml.safe_load((RULES.parent / "prometheus.yml").read_text())

    assert [(RULES.parent / name).resolve() for name in config["rule_files"]] == [RULES.resolve()]
    assert [job["job_name"] for job in config["scrape_configs"]] == ["gogate"]


def promtool(*arguments, said=None):
    """Run Prometheus' own checker, which .ci/run installs; fail as it does."""
    subprocess.run(["promtool", *arguments], cwd=RULES.parent, input=said, check=True, timeout=60)


def test_prometheus_accepts_the_rules_and_the_example():
    """Every expression is one, and every template can be filled in."""
    promtool("check", "config", "prometheus.yml")


def test_alerts_call_on_bad_days_and_only_then():
    """The rules are run against days that were written down, with what must be told of each."""
    promtool("test", "rules", RULES_TEST.name)


def test_every_critical_alert_is_seen_to_call():
    """Whatever wakes somebody has been seen to; so has a good day on which it does not."""
    days = yaml.safe_load(RULES_TEST.read_text())["tests"]
    checks = [check for day in days for check in day["alert_rule_test"]]
    critical = {rule["alert"] for rule in alerts() if rule["labels"]["severity"] == "critical"}

    assert critical <= {check["alertname"] for check in checks if check["exp_alerts"]}
    assert critical <= {check["alertname"] for check in checks if not check["exp_alerts"]}


async def test_prometheus_finds_no_fault_with_the_exposition(fake):
    """Names, types, help: as its own checker wants them of a real node."""
    async with open_watched(fake) as node:
        _status, exposition = await node.page("/metrics")

    await trio.to_thread.run_sync(partial(promtool, "check", "metrics", said=exposition))
