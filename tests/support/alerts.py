"""Prometheus' rules, when each is to fire, and what judges both."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy" / "prometheus" / "rules.yml"
CASES = ROOT / "tests" / "ops" / "prometheus" / "cases.yml"
DASHBOARDS = ROOT / "deploy" / "grafana" / "dashboards"
#: `make test-ops` has put prometheus and promtool there.
TOOLS = ROOT / ".cache" / "ops"

Rule = dict[str, Any]


@cache
def groups() -> list[dict[str, Any]]:
    """The groups of rules in their order."""
    found: list[dict[str, Any]] = yaml.safe_load(RULES.read_text())["groups"]
    return found


def alerts() -> dict[str, Rule]:
    """The alerts by name."""
    return {r["alert"]: r for group in groups() for r in group["rules"] if "alert" in r}


@cache
def cases() -> dict[str, dict[str, Any]]:
    """When each alert fires and when not; see the file."""
    found: dict[str, dict[str, Any]] = yaml.safe_load(CASES.read_text())
    return found


def rule_test(alert: str) -> dict[str, Any]:
    """What promtool is to find in the worlds of an alert: that it fires, or rests."""
    case = cases()[alert]
    worlds = [("fires", case["fires"], 1), *((why, s, 0) for why, s in case["rests"].items())]
    return {
        "rule_files": [str(RULES)],
        "evaluation_interval": case["every"],
        "group_eval_order": [group["name"] for group in groups()],
        "tests": [_world(alert, case, *world) for world in worlds],
    }


def _world(alert: str, case: dict[str, Any], name: str, lines: list[str], firing: int) -> Rule:
    asked = f'group by (alertname) (ALERTS{{alertname="{alert}",alertstate="firing"}})'
    found = [{"labels": f'{{alertname="{alert}"}}', "value": 1}] * firing
    return {
        "name": name,
        "interval": case["every"],
        "input_series": [_series(line) for line in lines],
        "promql_expr_test": [{"expr": asked, "eval_time": case["at"], "exp_samples": found}],
    }


def _series(line: str) -> dict[str, str]:
    """`name{labels} values`, with the job that all have in common."""
    found = re.fullmatch(r"(\w+)(?:\{(.*?)\})? (.*)", line)
    assert found, line
    name, labels, values = found.groups()
    if 'job="' not in (labels or ""):
        labels = ",".join(filter(None, ('job="shop"', labels)))
    return {"series": f"{name}{{{labels}}}", "values": values}
