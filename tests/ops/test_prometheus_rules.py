"""promtool's judgement of the rules: each alert fires when it should, and only then."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml
from support.alerts import RULES, TOOLS, alerts, rule_test


def promtool(*arguments: str | Path) -> str:
    """What it said; fails where it finds fault."""
    done = subprocess.run(
        [TOOLS / "promtool", *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_rules_are_rules() -> None:
    assert "SUCCESS" in promtool("check", "rules", RULES)


@pytest.mark.parametrize("alert", alerts())
def test_an_alert_fires_when_it_should_and_only_then(alert: str, tmp_path: Path) -> None:
    test = tmp_path / "test.yml"
    test.write_text(yaml.safe_dump(rule_test(alert)))
    promtool("test", "rules", test)
