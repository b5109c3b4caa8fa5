"""One real Kafka for all system tests, topics of their own for each, and workers that are ended."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest
from support import quick_java
from support.broker import environment
from support.worker import Worker

from stream_app.kafka.embedded import EmbeddedKafka
from stream_app.kafka.topics import TopicPlan, ensure_topics

HERE = Path(__file__).parent
LOGS = pytest.StashKey[list[Worker]]()


class Kafka(Protocol):
    """What tests may ask of the shared broker."""

    @property
    def bootstrap_servers(self) -> str: ...


@dataclass(frozen=True)
class Cluster:
    """A cluster named by STREAM_APP_BOOTSTRAP_SERVERS, used in place of the embedded broker."""

    bootstrap_servers: str


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.system)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Prepare before pytest-xdist starts its processes: once, and so that one can see it."""
    config = session.config
    if config.getoption("numprocesses", None) and not hasattr(config, "workerinput"):
        prepare(config.get_terminal_writer().line)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Prepare before the first test, so that its time limit does not count it."""
    if session.config.option.collectonly or hasattr(session.config, "workerinput"):
        return
    if any(HERE in item.path.parents for item in session.items):
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        prepare(reporter.write_line if reporter else print)


def prepare(say: Callable[[str], None]) -> None:
    """Download Kafka, and have all that is started from here start quickly."""
    os.environ[quick_java.VARIABLE] = quick_java.options(say)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Iterator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the workers logged beside the failure."""
    report = yield
    if report.failed:
        for worker in item.stash.get(LOGS, []):
            report.sections.append((f"worker {worker.pid}: {worker.log.name}", worker.tail()))
    return report


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """The broker that all tests share: never freeze or kill it, use `own_kafka` for that."""
    cluster = os.environ.get("STREAM_APP_BOOTSTRAP_SERVERS")
    if cluster:
        yield Cluster(cluster)
        return
    with EmbeddedKafka(tmp_path_factory.mktemp("kafka"), port=0) as broker:
        yield broker


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[EmbeddedKafka]:
    """A broker of this test alone, to freeze, kill and restart."""
    with EmbeddedKafka(tmp_path / "own-kafka", port=0, heap="512m") as broker:
        yield broker


@pytest.fixture
def app_id() -> str:
    """An application of this test alone; names of its topics start with it."""
    return f"t{uuid.uuid4().hex[:8]}"


def plan_for(app_id: str, partitions: int = 4) -> TopicPlan:
    """Topics of this test alone."""
    return TopicPlan(
        app_id=app_id,
        partitions=partitions,
        clicks=f"{app_id}-clicks",
        purchases=f"{app_id}-purchases",
        tags=f"{app_id}-tags",
        tag_state=f"{app_id}-tag-state",
        dead_letters=f"{app_id}-dead-letters",
        routed=f"{app_id}-routed",
    )


@pytest.fixture
def plan(app_id: str) -> TopicPlan:
    """The topics of this test, not created yet; four partitions."""
    return plan_for(app_id)


@pytest.fixture
async def topics(kafka: Kafka, plan: TopicPlan) -> TopicPlan:
    """The topics of this test on the shared broker."""
    await ensure_topics({"bootstrap_servers": kafka.bootstrap_servers}, plan)
    return plan


RunWorker = Callable[..., Worker]


@pytest.fixture
def run_worker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunWorker]:
    """`run_worker(servers, plan, **settings)` starts a worker and waits until it is ready.

    `ready=False` does not wait; settings are those of `stream_app.settings`. All workers are
    killed when the test ends, by their pids.
    """
    started: list[Worker] = []
    request.node.stash[LOGS] = started

    def run(servers: str, plan: TopicPlan, *, ready: bool = True, **settings: object) -> Worker:
        log = tmp_path / f"worker-{len(started) + 1}.log"
        worker = Worker(log, environment(servers, plan, **settings))
        started.append(worker)
        if ready:
            worker.wait_ready()
        return worker

    yield run
    for worker in started:
        worker.kill()
