"""The workflows and hooks against what the repository has; tests/ops/workflow has the judges."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest
import yaml
from support.image import DOCKERFILE, ROOT, of_stage, steps

WORKFLOWS = {path.stem: path.read_text() for path in (ROOT / ".github/workflows").glob("*.yml")}
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
HOOKS = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
each = pytest.mark.parametrize("name", WORKFLOWS)


def jobs(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(WORKFLOWS[name])["jobs"]
    return found


def runs(name: str) -> str:
    """All that a workflow runs, a step a line or more."""
    return "\n".join(
        step["run"] for job in jobs(name).values() for step in job["steps"] if "run" in step
    )


def test_it_runs_what_the_own_ci_runs() -> None:
    own = " ".join(re.findall(r"^make (.*)$", (ROOT / ".ci/run").read_text(), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z-]+)", runs("ci")))
    assert named == set(own.split())
    assert named <= TARGETS


@each
def test_actions_are_pinned_by_commit(name: str) -> None:
    used = re.findall(r"uses: (.*)", WORKFLOWS[name])
    assert used
    assert all(re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", use) for use in used)


def test_an_action_has_one_version() -> None:
    used = {use for text in WORKFLOWS.values() for use in re.findall(r"uses: (.*)", text)}
    assert len({use.partition("@")[0] for use in used}) == len(used)


@each
def test_rights_are_given_by_job_and_jobs_end(name: str) -> None:
    assert yaml.safe_load(WORKFLOWS[name])["permissions"] == {}
    for job in jobs(name).values():
        writes = {right for right, how in job["permissions"].items() if how == "write"}
        assert name == "release" or not writes
        assert job["timeout-minutes"] <= 60
        assert "secrets." not in str(job)


@each
def test_files_that_are_named_exist(name: str) -> None:
    named = set(re.findall(r"[\w./-]+\.(?:lock|mod)\b", WORKFLOWS[name]))
    assert named
    assert all((ROOT / file).exists() for file in named)


def test_tests_run_on_the_oldest_python_and_on_the_images() -> None:
    matrix = jobs("ci")["test"]["strategy"]["matrix"]["python"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    base = next(step.rest for step in steps(DOCKERFILE.read_text()) if step.word == "FROM")
    assert matrix == [
        project["requires-python"].removeprefix(">="),
        re.findall(r"python:(3\.\d+)", base)[0],
    ]


def test_the_image_is_run_as_it_is_meant_to_be() -> None:
    text = runs("ci")
    assert "--read-only --tmpfs /tmp" in text
    assert "docker compose up" in text
    # What is read out of it is where the build puts it.
    script = (ROOT / "deploy/image/install.sh").read_text()
    assert "/opt/stream-app/share/sbom.cdx.json" in text
    assert '"$target/share/sbom.cdx.json"' in script
    arguments = set(re.findall(r'--build-arg "(\w+)=', text + runs("release")))
    assert arguments == {arg.partition("=")[0] for arg in of_stage("base", "ARG")}


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook["id"])
def test_hooks_are_the_checks(hook: dict[str, Any]) -> None:
    recipe = (ROOT / "Makefile").read_text().partition("\ncheck:")[2].partition("\n\n")[0]
    command = hook["entry"].removeprefix(".venv/bin/").split()
    plain = " ".join(word for word in command if word != "--force-exclude")
    assert f"$(BIN)/{plain}" in recipe


def test_each_check_has_a_hook() -> None:
    recipe = (ROOT / "Makefile").read_text().partition("\ncheck:")[2].partition("\n\n")[0]
    assert recipe.count("$(BIN)/") == len(HOOKS)
