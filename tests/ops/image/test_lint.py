"""The Dockerfile by hadolint."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from support.image import DOCKERFILE


def lint(tools: Path, dockerfile: Path) -> subprocess.CompletedProcess[str]:
    command = [tools / "hadolint", "--failure-threshold", "style", dockerfile]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def test_hadolint_finds_nothing(tools: Path) -> None:
    done = lint(tools, DOCKERFILE)
    assert (done.returncode, done.stdout) == (0, "")


def test_hadolint_would_find_something(tools: Path, tmp_path: Path) -> None:
    worse = tmp_path / "Dockerfile"
    worse.write_text(re.sub(r"(?m)^FROM python:\S+", "FROM python:latest", DOCKERFILE.read_text()))
    assert "DL3007" in lint(tools, worse).stdout
