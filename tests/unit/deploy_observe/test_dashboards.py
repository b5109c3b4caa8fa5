"""Dashboards are what their description makes, ask for metrics that there are, and say what they
show.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from support.alerts import DASHBOARDS, ROOT, groups
from support.grafana import build

from stream_app.metrics import PREFIX, TABLE

BUILD = build()
BOARDS = {path.stem: json.loads(path.read_text()) for path in sorted(DASHBOARDS.glob("*.json"))}
SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
METRICS = {
    PREFIX + declared.name + suffix: declared.labels
    for declared in TABLE
    for suffix in SUFFIXES[declared.kind]
}
RECORDED = {rule["record"] for group in groups() for rule in group["rules"] if "record" in rule}
OF_PROMETHEUS = {"job", "instance", "le"}


PANELS = [
    pytest.param(panel, id=f"{name}: {panel['title']}")
    for name, board in BOARDS.items()
    for panel in board["panels"]
    if panel["type"] != "row"
]


@pytest.mark.parametrize("folder", BUILD.FOLDERS, ids=lambda folder: str(folder.relative_to(ROOT)))
def test_the_files_are_what_the_description_makes(folder: Path) -> None:
    assert {path.name: path.read_text() for path in folder.glob("*.json")} == BUILD.files()


def test_there_is_one_for_operators_one_for_tags_and_one_for_models() -> None:
    assert set(BOARDS) == {"flow", "tags", "models"}
    assert len({board["uid"] for board in BOARDS.values()}) == len(BOARDS)


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_says_what_it_shows_in_which_unit(panel: dict[str, Any]) -> None:
    drawn = panel["fieldConfig"]["defaults"]
    assert drawn["unit"]
    assert panel["description"].endswith(".")
    colours = [step["color"] for step in drawn["thresholds"]["steps"]]
    values = [step["value"] for step in drawn["thresholds"]["steps"]]
    assert values[0] is None
    assert values[1:] == sorted(values[1:])
    assert colours in (["green"], ["green", "orange"], ["green", "orange", "red"],
                       ["red", "orange", "green"])  # fmt: skip
    assert panel["datasource"]["uid"] == "${datasource}"


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_asks_for_what_there_is(panel: dict[str, Any]) -> None:
    for target in panel["targets"]:
        query = target["expr"]
        selectors = re.findall(r"\b(stream_app[:\w]*|process_\w+|ALERTS)\{([^}]*)\}", query)
        assert selectors
        for name, labels in selectors:
            assert name in METRICS or name in RECORDED or name[:6] in ("proces", "ALERTS")
            assert 'job="$job"' in labels
            if name in METRICS:
                used = set(re.findall(r"(\w+)(?:=~|!=|=)", labels))
                assert used <= OF_PROMETHEUS | set(METRICS[name])


@pytest.mark.parametrize("name", BOARDS)
def test_panels_lie_side_by_side_and_each_has_a_number(name: str) -> None:
    placed = [panel["gridPos"] for panel in BOARDS[name]["panels"]]
    cells = [
        (x, y)
        for at in placed
        for x in range(at["x"], at["x"] + at["w"])
        for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    assert len({panel["id"] for panel in BOARDS[name]["panels"]}) == len(placed)


@pytest.mark.parametrize("name", BOARDS)
def test_variables_that_queries_use_are_there(name: str) -> None:
    variables = {v["name"] for v in BOARDS[name]["templating"]["list"]}
    text = json.dumps([panel.get("targets") for panel in BOARDS[name]["panels"]])
    used = set(re.findall(r"\$(\w+)", text)) - {"__rate_interval"}
    assert used <= variables
    assert variables - used <= {"datasource"}


def test_where_less_is_worse_little_is_red() -> None:
    steps = BUILD.thresholds({"warn": 0.7, "bad": 0.5})["steps"]
    assert [(s["color"], s["value"]) for s in steps] == [
        ("red", None), ("orange", 0.5), ("green", 0.7),
    ]  # fmt: skip
