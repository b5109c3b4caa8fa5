"""The workflows by their schema and by zizmor, which knows what is unsafe in them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from support.image import ROOT

TOOLS = ROOT / ".cache/ops/venv/bin"
FILES = sorted((ROOT / ".github").glob("**/*.yml"))
by_name = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def schema(file: Path) -> subprocess.CompletedProcess[str]:
    kind = "dependabot" if file.stem == "dependabot" else "github-workflows"
    return run(TOOLS / "check-jsonschema", "--builtin-schema", f"vendor.{kind}", file)


@by_name
def test_it_fits_the_schema(file: Path) -> None:
    done = schema(file)
    assert done.returncode == 0, done.stdout


@by_name
def test_a_misspelt_word_does_not(file: Path, tmp_path: Path) -> None:
    wrong = tmp_path / file.name
    wrong.write_text(
        file.read_text().replace("runs-on:", "runs_on:").replace("updates:", "update:")
    )
    assert schema(wrong).returncode == 1


def test_zizmor_finds_nothing() -> None:
    done = run(TOOLS / "zizmor", "--offline", "--persona", "pedantic", ROOT / ".github")
    assert done.returncode == 0, done.stdout


def test_zizmor_would_find_something(tmp_path: Path) -> None:
    folder = tmp_path / ".github/workflows"
    folder.mkdir(parents=True)
    text = (ROOT / ".github/workflows/ci.yml").read_text()
    (folder / "ci.yml").write_text(text.replace("persist-credentials: false", "fetch-depth: 1"))
    done = run(TOOLS / "zizmor", "--offline", folder)
    assert "artipacked" in done.stdout
    assert done.returncode
