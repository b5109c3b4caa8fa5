"""The embedded broker against the promises of its docstring."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.broker import Message, produce, read_to_end
from support.worker import ROOT

from stream_app.kafka.embedded import BrokerError, EmbeddedKafka, running_on, stop_on
from stream_app.kafka.embedded.probe import answers
from stream_app.kafka.topics import TopicPlan, ensure_topics


def gone(pid: int, seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while Path(f"/proc/{pid}").exists() if Path("/proc/self").exists() else _lives(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_data_and_port_outlive_a_crash(own_kafka: EmbeddedKafka, plan: TopicPlan) -> None:
    servers = own_kafka.bootstrap_servers
    await ensure_topics({"bootstrap_servers": servers}, plan)
    await produce(servers, plan.clicks, [Message(b"anna", b"1"), Message(b"bert", b"2")])
    pid = own_kafka.pid

    own_kafka.kill()
    assert not own_kafka.alive
    assert gone(pid)
    await asyncio.to_thread(own_kafka.restart)

    assert own_kafka.bootstrap_servers == servers
    assert own_kafka.pid != pid
    records = await read_to_end(servers, plan.clicks)
    assert sorted((r.key, r.value) for r in records) == [(b"anna", b"1"), (b"bert", b"2")]


def test_frozen_it_answers_nobody_and_thawed_again(own_kafka: EmbeddedKafka) -> None:
    own_kafka.freeze()
    assert not answers(own_kafka.bootstrap_servers, 1)
    own_kafka.thaw()
    assert answers(own_kafka.bootstrap_servers, 20)


def test_a_second_start_uses_the_first_and_leaves_it_running(own_kafka: EmbeddedKafka) -> None:
    with EmbeddedKafka(own_kafka.data_dir) as second:
        assert (second.pid, second.port, second.owned) == (own_kafka.pid, own_kafka.port, False)
    assert own_kafka.alive
    with pytest.raises(BrokerError, match=f"with port {own_kafka.port}, not 1"):
        EmbeddedKafka(own_kafka.data_dir, port=1).start()


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(BrokerError, match=f"port {port} is taken by another program"):
            EmbeddedKafka(tmp_path, port=port).start()


def test_of_two_that_found_a_port_free_one_gets_it(
    kafka: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other's client must not take the answers of the first for those of its own broker."""
    if not isinstance(kafka, EmbeddedKafka):
        pytest.skip("needs a broker on this machine")
    monkeypatch.setattr("stream_app.kafka.embedded.probe.is_free", lambda port: True)
    late = EmbeddedKafka(tmp_path / "late", port=kafka.port)
    with pytest.raises(BrokerError, match=f"port {kafka.port} is taken by a Kafka that is not"):
        late.start()
    assert running_on(late.data_dir) is None
    assert kafka.alive
    assert answers(kafka.bootstrap_servers)


def test_a_broker_that_cannot_start_says_why_and_leaves_nothing_behind(tmp_path: Path) -> None:
    kafka = EmbeddedKafka(tmp_path, port=0, heap="1k")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "meta.properties").touch()
    with pytest.raises(BrokerError, match=r"ended with exit code 1: .*heap"):
        kafka.start()
    assert running_on(tmp_path) is None


def test_it_dies_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from stream_app.kafka.embedded import EmbeddedKafka;"
        "kafka = EmbeddedKafka(Path(sys.argv[1]), port=0).start();"
        "print(kafka.pid, flush=True); sys.stdin.read()"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        assert running_on(tmp_path) is not None
        parent.kill()
    assert gone(pid)


def test_detached_it_outlives_the_command_until_it_is_stopped(tmp_path: Path) -> None:
    def run(*options: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "stream_app", "broker", "--data-dir", str(tmp_path)]
        return subprocess.run(
            [*command, *options],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )

    try:
        started = run("--detach", "--port", "0")
        running = running_on(tmp_path)
        assert running, started
        assert f"STREAM_APP_BOOTSTRAP_SERVERS={running.bootstrap_servers}" in started.stdout
        assert answers(running.bootstrap_servers)
        assert f"pid {running.pid}" in run("--status").stdout
        assert "stopped the broker" in run("--stop").stdout
        assert gone(running.pid)
        assert run("--status").returncode == 1
    finally:
        stop_on(tmp_path)
