"""Java that starts quickly: most of a broker's work in a test is its start.

Of five seconds of CPU that a broker takes to start, its classes take two (JEP 483: they come loaded
and linked from a file, which a broker that ran before has left) and the better compiler two more,
whose work a test does not live to see.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from support.broker import Message, produce, read_to_end

from stream_app.kafka.embedded import EmbeddedKafka
from stream_app.kafka.embedded.config import SHORT_LIVED, Layout
from stream_app.kafka.embedded.prepare import java_command
from stream_app.kafka.embedded.runtime import Runtime, find_runtime
from stream_app.kafka.topics import TopicPlan, ensure_topics

#: The variable that `java` takes options from.
VARIABLE = "JDK_JAVA_OPTIONS"
_CACHE = Path(__file__).parents[2] / ".cache" / "tests"
#: That a file does not fit, as for Kafka's other tools, is no news.
_QUIET = "-Xlog:disable"
_HEAP = "512m"
_CREATE_SECONDS = 120


def options(say: Callable[[str], None]) -> str:
    """Options for all brokers and tools of a run; makes the file of classes if it is not there.

    Where the file cannot be made, or does not fit, they start without it.
    """
    runtime = find_runtime(say)
    known = f"{runtime.java} {runtime.java.stat().st_mtime_ns} {runtime.classpath}"
    file = _CACHE / f"kafka-{hashlib.sha256(known.encode()).hexdigest()[:16]}.aot"
    if not file.exists():
        say("preparing quick starts of Kafka, once (20 s)")
        _make(runtime, file)
    return f"{SHORT_LIVED} {_QUIET} -XX:AOTCache={file}"


def _make(runtime: Runtime, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=file.parent) as name:
        folder = Path(name)
        classes, made = folder / "classes", folder / "made"
        record = ("-XX:AOTMode=record", f"-XX:AOTConfiguration={classes}")
        with EmbeddedKafka(
            folder / "kafka", port=0, heap=_HEAP, java=(SHORT_LIVED, _QUIET, *record)
        ) as broker:
            asyncio.run(_use(broker.bootstrap_servers))
        create = ("-XX:AOTMode=create", f"-XX:AOTConfiguration={classes}", f"-XX:AOTCache={made}")
        command = java_command(
            runtime, Layout(broker.data_dir), _HEAP, "kafka.Kafka", (SHORT_LIVED, _QUIET, *create)
        )
        with suppress(subprocess.TimeoutExpired):
            subprocess.run(
                command,
                env=os.environ | {"CLASSPATH": runtime.classpath},
                capture_output=True,
                timeout=_CREATE_SECONDS,
                check=False,
            )
        if made.exists():
            made.replace(file)


async def _use(servers: str) -> None:
    """Have it load what tests need: a topic, a transaction, a reader."""
    plan = TopicPlan(
        app_id="quick", partitions=1, clicks="clicks", purchases="purchases", tags="tags",
        tag_state="tag-state", dead_letters="dead-letters",
    )  # fmt: skip
    await ensure_topics({"bootstrap_servers": servers}, plan)
    await produce(servers, plan.clicks, [Message(b"k", b"v")], transactional_id="quick")
    await read_to_end(servers, plan.clicks)
