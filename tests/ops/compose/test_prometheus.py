"""What compose gives to Prometheus, by promtool."""

from __future__ import annotations

import subprocess
from pathlib import Path

from support.image import ROOT

PROMTOOL = ROOT / ".cache/ops/promtool"


def check(folder: Path, config: str) -> subprocess.CompletedProcess[str]:
    """Judge the configuration with its rules where they are here."""
    rules = str(ROOT / "deploy/prometheus/rules.yml")
    assert "/etc/prometheus/rules.yml" in config
    (folder / "prometheus.yml").write_text(config.replace("/etc/prometheus/rules.yml", rules))
    command = [PROMTOOL, "check", "config", folder / "prometheus.yml"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_prometheus_takes_its_configuration(tmp_path: Path) -> None:
    done = check(tmp_path, (ROOT / "deploy/compose/prometheus.yml").read_text())
    assert done.returncode == 0, done.stderr


def test_it_would_not_take_a_wrong_one(tmp_path: Path) -> None:
    config = (ROOT / "deploy/compose/prometheus.yml").read_text()
    assert check(tmp_path, config.replace("type: A,", "type: AB,")).returncode == 1
