"""The Dockerfile as data, and its build stage carried out without a container engine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "Dockerfile"
TARGET = "/opt/stream-app"


@dataclass(frozen=True)
class Step:
    """An instruction of a stage: `RUN sh x` has the word RUN and the rest `sh x`."""

    stage: str
    word: str
    rest: str


def steps(text: str) -> list[Step]:
    """The instructions of a Dockerfile in their order, FROM included; comments are left out."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    found, stage = [], ""
    for line in filter(None, map(str.strip, joined.splitlines())):
        word, _, rest = line.partition(" ")
        if word == "FROM":
            stage = rest.rpartition(" AS ")[2]
        found.append(Step(stage, word, rest))
    return found


def of_stage(stage: str, word: str) -> list[str]:
    """What these instructions of that stage say."""
    found = steps(DOCKERFILE.read_text())
    return [step.rest for step in found if (step.stage, step.word) == (stage, word)]


def allowed() -> list[str]:
    """What .dockerignore lets into the build, which begins by letting in nothing."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert next(line for line in lines if line and line[0] != "#") == "*"
    return [line[1:] for line in lines if line.startswith("!")]


def build(folder: Path, stage: str = "build") -> Path:
    """Carry out COPY and RUN of a stage in `folder`; returns what becomes /opt/stream-app."""
    source, target = folder / "src", folder / "opt"
    source.mkdir(parents=True)
    for step in steps(DOCKERFILE.read_text()):
        if (step.stage, step.word) == (stage, "COPY"):
            *names, place = step.rest.split()
            for name in names:
                _copy(ROOT / name, source / place)
        elif (step.stage, step.word) == (stage, "RUN"):
            command = step.rest.replace(TARGET, str(target))
            subprocess.run(["sh", "-c", command], cwd=source, env=_environment(), check=True)
    return target


def _copy(source: Path, place: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, place, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, place)


def _environment() -> dict[str, str]:
    """That of this process without what would lead to the virtual environment of the tests."""
    drop = ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME")
    kept = {name: value for name, value in os.environ.items() if name not in drop}
    venv = os.environ.get("VIRTUAL_ENV", str(ROOT / ".venv"))
    parts = kept.get("PATH", "").split(os.pathsep)
    return kept | {"PATH": os.pathsep.join(part for part in parts if not part.startswith(venv))}
