"""What the chart gives Prometheus and Grafana."""

import re
from pathlib import Path

import pytest
import yaml
from tests.support.prometheus import (
    FULLNAME,
    NAMESPACE,
    alerts,
    dashboard_queries,
    dashboards,
    promtool,
    selected,
    write_rules,
)
from tests.support.render import CHART, Render, render

WITH_ALL = CHART / "ci" / "monitoring-values.yaml"


@pytest.fixture(scope="module")
def monitored() -> Render:
    """The release `mind` with all that monitors it."""
    return render("mind", WITH_ALL)


def test_every_query_looks_at_this_mind_alone() -> None:
    queries = [*dashboard_queries(), *((n, r["expr"]) for n, r in alerts().items())]
    assert len(queries) > 100
    for where, expr in queries:
        metrics = list(selected(expr))
        assert metrics, where
        # By the job or by the objects' names; HPAs are then joined by name.
        assert all("namespace" in labels for _, labels in metrics), where
        assert FULLNAME in expr, where


def test_a_mind_whose_name_begins_the_same_is_another() -> None:
    queries = [*dashboard_queries(), *((n, r["expr"]) for n, r in alerts().items())]
    patterns = [
        (where, pattern)
        for where, expr in queries
        for pattern in re.findall(rf'=~"([^"]*{FULLNAME}[^"]*)"', expr)
    ]
    others = [
        f"{FULLNAME}-two-{part}" for part in ("memory-service", "memory-service-0-x")
    ]
    assert patterns
    for where, pattern in patterns:
        assert not [each for each in others if re.fullmatch(pattern, each)], where


def test_the_chart_brings_every_alert_with_its_runbook(
    monitored: Render, tmp_path: Path
) -> None:
    base = monitored.settings["monitoring"]["rules"]["runbookBaseUrl"]
    (made,) = monitored.of("PrometheusRule")
    (group,) = made["spec"]["groups"]
    found = {rule["alert"]: rule for rule in group["rules"]}
    assert set(found) == set(alerts())
    for name, rule in found.items():
        assert rule["annotations"]["runbook_url"] == f"{base}{name}.md"
        assert rule["labels"]["mind"] == FULLNAME
        assert "NAMESPACE" not in rule["expr"]
        here = alerts()[name]["expr"].replace(
            f'namespace="{NAMESPACE}"', f'namespace="{rule["labels"]["namespace"]}"'
        )
        assert rule["expr"] == here
    promtool("check", "rules", write_rules(tmp_path, group["rules"]))


def test_every_service_is_scraped_under_the_name_of_its_service(
    monitored: Render,
) -> None:
    monitors = {
        each["metadata"]["name"]: each["spec"]
        for each in monitored.of("ServiceMonitor")
    }
    asked = {
        job
        for _, expr in dashboard_queries()
        for job in re.findall(r'job="([^"]+)"', expr)
    }
    assert set(monitors) == asked
    for name, spec in monitors.items():
        service = monitored.find("Service", name)
        assert service is not None
        wanted = spec["selector"]["matchLabels"].items()
        chosen = [
            each["metadata"]["name"]
            for each in monitored.of("Service")
            if wanted <= each["metadata"]["labels"].items()
        ]
        assert chosen == [name]
        (endpoint,) = spec["endpoints"]
        assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
        # Any of them would give the job another name.
        assert not {"jobLabel", "relabelings"} & {*spec, *endpoint}


def test_the_databases_own_metrics_are_scraped_where_it_has_any(
    monitored: Render,
) -> None:
    (monitor,) = monitored.of("PodMonitor")
    (cluster,) = monitored.of("Cluster")
    labels = monitor["spec"]["selector"]["matchLabels"]
    assert labels["cnpg.io/cluster"] == cluster["metadata"]["name"]


def test_every_dashboard_is_found_by_its_label(monitored: Render) -> None:
    wanted = monitored.settings["monitoring"]["dashboards"]["labels"].items()
    files = {
        file: text
        for each in monitored.of("ConfigMap")
        if wanted <= each["metadata"]["labels"].items()
        for file, text in each["data"].items()
    }
    assert {file: yaml.safe_load(text) for file, text in files.items()} == {
        f"claude-agi-{name}.json": dashboard for name, dashboard in dashboards().items()
    }
