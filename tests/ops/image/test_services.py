"""What the compose file starts, started from its variables and commands without an engine.

Topics, workers and trainer run from what the image has, as if on a read-only file system.
"""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest
from support import compose
from support.broker import read_to_end
from support.image import ROOT
from support.worker import Worker

from stream_app.kafka.embedded import probe

#: Of the demo's data, so much that it takes seconds.
LESS = {
    "--households 300": "--households 12 --from 2017-03-01 --to 2017-04-01",
    "--speed 86400x": "--speed 2000000x",
}


def variables(service: str, servers: str) -> dict[str, str]:
    """A container's variables, with Kafka's address as it is here."""
    found = compose.environment(service, compose.demo())
    assert found["STREAM_APP_BOOTSTRAP_SERVERS"] == "kafka:19092"
    return found | {"STREAM_APP_BOOTSTRAP_SERVERS": servers}


def run(env: dict[str, str], *command: str | Path) -> None:
    done = subprocess.run(
        command, env=env, cwd="/", capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 0, done.stderr + done.stdout


@pytest.mark.timeout(600)
async def test_the_demo_runs_from_topics_to_tags(
    installed: Path, confined: dict[str, str], tmp_path: Path
) -> None:
    program = str(installed / "bin/stream-app")
    with compose.kafka(tmp_path / "kafka", compose.demo()) as listeners:
        servers = listeners["inside"]
        assert probe.answers(listeners["outside"])
        topics = compose.SERVICES["topics"]["command"]
        run(confined | variables("topics", servers), program, *topics)
        replicas = compose.SERVICES["worker"]["deploy"]["replicas"]
        running = [
            Worker(
                tmp_path / f"{number}-{role}.log",
                confined | variables(role, servers),
                (program, *compose.SERVICES[role]["command"]),
            )
            for number, role in enumerate(["worker"] * replicas + ["trainer"])
        ]
        try:
            for process in running:
                process.wait_ready()
                port = {"STREAM_APP_HTTP_PORT": str(process.port)}
                check = ROOT / "deploy/image/healthcheck.py"
                run(confined | port, installed / "bin/python", check)
            run_demo(servers)
            wait_for_events(running[:replicas])
            for process in running:
                assert process.terminate() == 0, process.tail()
        finally:
            for process in running:
                process.kill()
        assert await read_to_end(servers, "tags")


def wait_for_events(workers: list[Worker]) -> None:
    """Return when each has read events."""
    deadline = time.monotonic() + 30
    while not all(worker.metric("stream_app_events_total") for worker in workers):
        assert time.monotonic() < deadline, "\n".join(worker.tail() for worker in workers)
        time.sleep(0.1)


def run_demo(servers: str) -> None:
    """The demo's command, from the environment of the tests, which has its data."""
    service = compose.SERVICES["demo"]
    (line,) = service["command"]
    for much, little in LESS.items():
        assert much in line
        line = line.replace(much, little)
    path = f"{ROOT / '.venv/bin'}{os.pathsep}{os.environ['PATH']}"
    run(os.environ | variables("demo", servers) | {"PATH": path}, *service["entrypoint"], line)
