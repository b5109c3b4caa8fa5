"""docker-compose.yml as data, and its Kafka started from the same variables without an engine."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from support.image import ROOT

from stream_app.kafka.embedded import probe
from stream_app.kafka.embedded.config import Layout, More, write_config
from stream_app.kafka.embedded.prepare import format_folder, java_command
from stream_app.kafka.embedded.process import Child, launch
from stream_app.kafka.embedded.runtime import find_runtime

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
START_SECONDS = 90


def demo() -> dict[str, str]:
    """The variables of the demo's file."""
    text = (ROOT / "deploy/compose/demo.env").read_text()
    lines = [line for line in text.splitlines() if line and line[0] != "#"]
    return dict(line.split("=", 1) for line in lines)


def interpolated(value: object, given: dict[str, str]) -> str:
    """`${NAME:-default}` as compose reads it."""

    def put(match: re.Match[str]) -> str:
        return given.get(match[1]) or match[2]

    return re.sub(r"\$\{(\w+):-([^}]*)\}", put, str(value))


def environment(service: str, given: dict[str, str]) -> dict[str, str]:
    """What a service's containers have, where compose is given these variables."""
    variables = SERVICES[service]["environment"].items()
    return {name: interpolated(value, given) for name, value in variables}


def kafka_properties(given: dict[str, str]) -> dict[str, str]:
    """server.properties as Kafka's image makes it of variables: KAFKA_NODE_ID is node.id."""
    own = {"KAFKA_HEAP_OPTS"}
    return {
        name.removeprefix("KAFKA_").lower().replace("_", "."): value
        for name, value in environment("kafka", given).items()
        if name not in own
    }


@contextmanager
def kafka(folder: Path, given: dict[str, str]) -> Iterator[dict[str, str]]:
    """Kafka as compose configures it, on free ports; yields address by listener."""
    layout, runtime = Layout(folder), find_runtime(print)
    ports = {name: str(probe.free_port()) for name in ("29093", "19092", "9092")}
    text = "".join(f"{name}={value}\n" for name, value in kafka_properties(given).items())
    text = text.replace("/var/lib/kafka/data", str(layout.logs))
    text = re.sub(r"(://|@)(kafka)?:", r"\g<1>127.0.0.1:", text)
    text = re.sub(rf":({'|'.join(ports)})\b", lambda match: f":{ports[match[1]]}", text)
    folder.mkdir()
    # For how it logs; what it is, is said by what is written over it.
    write_config(layout, 0, 0, More())
    layout.properties.write_text(text)
    format_folder(runtime, layout, print)
    command = java_command(runtime, layout, "512m", "kafka.Kafka")
    broker = launch(command, layout.output, {"CLASSPATH": runtime.classpath}, bound=True)
    try:
        address = f"127.0.0.1:{ports['19092']}"
        _wait(broker, address, layout)
        yield {"inside": address, "outside": f"127.0.0.1:{ports['9092']}"}
    finally:
        broker.reap(30)


def _wait(broker: Child, address: str, layout: Layout) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not probe.answers(address, 5):
        said = layout.output.read_text() + (layout.log.read_text() if layout.log.exists() else "")
        assert broker.exit_code is None, said[-4000:]
        assert time.monotonic() < deadline, said[-4000:]
