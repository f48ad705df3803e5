"""Dashboards: what Grafana can show, from whatever data source it has."""

from pathlib import Path

import pytest
from tests.support.prometheus import (
    dashboard_queries,
    dashboards,
    panels,
    promtool,
    write_rules,
)

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
GRID_WIDTH = 24

each_dashboard = pytest.mark.parametrize("name", sorted(dashboards()))


def test_promtool_can_read_the_queries_of_the_dashboards(tmp_path: Path) -> None:
    records = [
        {"record": f"panel:{number}", "expr": expr}
        for number, (_, expr) in enumerate(dashboard_queries())
    ]
    promtool("check", "rules", write_rules(tmp_path, records))


@each_dashboard
def test_a_dashboard_belongs_to_no_data_source(name: str) -> None:
    dashboard = dashboards()[name]
    assert not {"id", "uid", "__inputs"} & set(dashboard)
    variables = dashboard["templating"]["list"]
    assert [each["name"] for each in variables] == [
        "datasource",
        "namespace",
        "release",
    ]
    named = [
        thing["datasource"]
        for panel in panels(dashboard)
        for thing in (panel, *panel.get("targets", []))
        if "datasource" in thing
    ]
    assert all(each == DATASOURCE for each in (*named, variables[1]["datasource"]))


@each_dashboard
def test_a_panel_says_what_it_shows_and_in_what(name: str) -> None:
    for panel in panels(dashboards()[name]):
        assert panel["description"], panel["title"]
        if panel["type"] != "text":
            assert panel["datasource"] == DATASOURCE
            assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
            assert panel["targets"], panel["title"]


@each_dashboard
def test_panels_lie_side_by_side(name: str) -> None:
    taken: set[tuple[int, int]] = set()
    ids = set()
    for panel in dashboards()[name]["panels"]:
        ids.add(panel["id"])
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= GRID_WIDTH
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
    assert len(ids) == len(dashboards()[name]["panels"])
