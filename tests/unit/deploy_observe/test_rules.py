"""Rules, what to do when they fire, and their tests belong together."""

from __future__ import annotations

import re

import pytest
from support.alerts import ROOT, RULES, Rule, alerts, cases, groups
from support.chart_docs import CHART

PAGE = (ROOT / "docs" / "operations.md").read_text()
PARTS = ("Means.", "Look first.", "Do.", "Escalate.")


def sections() -> dict[str, str]:
    """What the runbook says, by alert."""
    (chapter,) = re.findall(r"^## When an alert fires\n(.*?)^## ", PAGE, re.MULTILINE | re.DOTALL)
    _, *found = re.split(r"^### (\w+)\n", chapter, flags=re.MULTILINE)
    return dict(zip(found[::2], found[1::2], strict=True))


def test_the_chart_has_the_same_rules() -> None:
    assert (CHART / "files/rules.yml").read_bytes() == RULES.read_bytes()


def test_every_alert_has_its_section_and_its_cases_in_the_same_order() -> None:
    assert list(sections()) == list(cases()) == list(alerts())


@pytest.mark.parametrize("name", alerts())
def test_an_alert_says_how_bad_it_is_what_it_means_and_where_to_look(name: str) -> None:
    alert = alerts()[name]
    assert alert["labels"]["severity"] in ("critical", "warning")
    assert set(alert["annotations"]) == {"summary", "description", "runbook"}
    assert all(alert["annotations"].values())
    assert alert["annotations"]["runbook"] == f"docs/operations.md#{name.lower()}"
    told = re.findall(r"^\*\*(.+?)\*\* \S", sections()[name], re.MULTILINE)
    assert tuple(told) == PARTS


@pytest.mark.parametrize("name", cases())
def test_an_alert_is_tried_with_and_without_cause(name: str) -> None:
    case = cases()[name]
    assert case["fires"]
    assert case["rests"]
    assert all(case["rests"].values())


def test_links_between_sections_lead_somewhere() -> None:
    headings = re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 -]", "", h.lower()).replace(" ", "-") for h in headings}
    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) <= anchors


@pytest.mark.parametrize("group", groups(), ids=lambda group: group["name"])
def test_what_is_recorded_is_used(group: Rule) -> None:
    used = " ".join(rule["expr"] for rule in alerts().values())
    recorded = {rule["record"] for rule in group["rules"] if "record" in rule}
    assert recorded <= set(re.findall(r"stream_app:\w+(?::\w+)?", used))
