"""The chart's values, schema, README and files, as far as no helm is needed to judge them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from support.chart_docs import (
    BY_CHART,
    CHART,
    README,
    SCHEMA,
    leaves,
    rendered,
    schema,
    values,
    with_settings,
)

import stream_app
from stream_app.metrics import PREFIX as METRIC
from stream_app.metrics import TABLE
from stream_app.settings import Settings

CASES = sorted((CHART / "ci").glob("*-values.yaml"))
METRICS = {METRIC + d.name + ("_total" if d.kind == "counter" else "") for d in TABLE}
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((CHART / "files/rules.yml").read_text())["groups"]
    for rule in group["rules"]
]


def merged(base: Any, given: Any) -> Any:
    """What Helm makes of the chart's values and a user's."""
    if not (isinstance(base, dict) and isinstance(given, dict)):
        return given
    return base | {name: merged(base.get(name), value) for name, value in given.items()}


def objects(part: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Each part of the schema that is for an object."""
    if isinstance(part, dict):
        if part.get("type") == "object":
            yield path, part
        for name, inner in part.items():
            yield from objects(inner, f"{path}/{name}")


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_values_are_as_the_schema_says(case: Path) -> None:
    given = yaml.safe_load(case.read_text())
    jsonschema.Draft7Validator(schema()).validate(merged(values(), given))


def test_examples_of_the_page_are_as_the_schema_says() -> None:
    page = (CHART.parents[1] / "docs" / "kubernetes.md").read_text()
    examples = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert examples
    for example in examples:
        given = merged(values(), yaml.safe_load(example))
        jsonschema.Draft7Validator(schema()).validate(given)


@pytest.mark.parametrize(
    "given",
    [
        {"kafak": {}},
        {"kafka": {"sasl": {"password": "x"}}},
        {"settings": {"partition": 4}},
        {"settings": {"sasl_password": "x"}},
        {"settings": {"partitions": 0}},
        {"worker": {"replicas": "2"}},
        {"trainer": {"replicas": 3}},
        {"networkPolicy": {"kafkaTo": [{}]}},
        {"image": {"digest": "latest"}},
    ],
    ids=json.dumps,
)
def test_what_is_wrong_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft7Validator(schema()).validate(merged(values(), given))


def test_the_schema_is_closed() -> None:
    jsonschema.Draft7Validator.check_schema(schema())
    opened = {path for path, part in objects(schema()) if "additionalProperties" not in part}
    assert opened == {"/properties/global", "/definitions/kubernetes"}


def test_every_value_is_described() -> None:
    assert [
        path for path, part, _ in leaves(values(), schema()) if not part.get("description")
    ] == []


def test_every_value_has_a_default_and_every_default_is_a_value() -> None:
    settings = "settings."
    told = {path for path, _, _ in leaves(values(), schema()) if not path.startswith(settings)}

    def given(part: dict[str, Any], shape: dict[str, Any], path: str) -> Iterator[str]:
        for name, value in part.items():
            inner = shape["properties"][name]
            if "properties" in inner:
                yield from given(value, inner, f"{path}{name}.")
            else:
                yield path + name

    found = set(given(values(), schema(), ""))
    assert {path for path in found if not path.startswith(settings)} == told


def test_the_schema_has_the_settings_of_the_program() -> None:
    """Not so: PYTHONPATH=tests .venv/bin/python -m support.chart_docs"""
    assert json.loads(with_settings(SCHEMA.read_text())) == schema()
    own = set(schema()["properties"]["settings"]["properties"])
    assert own | BY_CHART == set(Settings.model_fields)
    assert not own & BY_CHART


def test_a_secret_among_the_settings_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("support.chart_docs.BY_CHART", BY_CHART - {"sasl_password"})
    with pytest.raises(ValueError, match="sasl_password is a secret"):
        with_settings(SCHEMA.read_text())


def test_the_readme_is_in_step() -> None:
    """Not so: PYTHONPATH=tests .venv/bin/python -m support.chart_docs"""
    assert rendered(README.read_text()) == README.read_text()


def test_the_chart_is_for_this_version_of_the_program() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == stream_app.__version__


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.get("alert") or rule["record"])
def test_a_rule_asks_for_metrics_that_there_are(rule: dict[str, Any]) -> None:
    named = set(re.findall(rf"\b{METRIC}\w+", rule["expr"]))
    histograms = {re.sub("_(bucket|sum|count)$", "", name) for name in named}
    assert histograms <= METRICS
    if "alert" in rule:
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert rule["annotations"]["summary"]


@pytest.mark.parametrize(
    "rule", [rule for rule in RULES if "alert" in rule], ids=lambda rule: rule["alert"]
)
def test_an_alert_names_a_section_that_there_is(rule: dict[str, Any]) -> None:
    page, _, anchor = rule["annotations"]["runbook"].partition(" ")[0].partition("#")
    text = (CHART.parents[1] / page).read_text()
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    assert anchor in {re.sub(r"[^a-z0-9 -]", "", h.lower()).replace(" ", "-") for h in headings}


def test_dashboards_are_json() -> None:
    for path in sorted((CHART / "files/dashboards").glob("*.json")):
        assert json.loads(path.read_text())["title"], path.name
