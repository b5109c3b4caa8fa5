"""Every query of dashboards and alerts, asked of a real Prometheus that watches a real worker and
a real trainer on a real Kafka: none may fail, and none may be empty without a reason.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from support.alerts import DASHBOARDS, alerts
from support.broker import Message, environment, produce
from support.grafana import build
from support.prometheus import Prometheus, as_of_now, without_thresholds
from support.small_learning import CATALOGUE, DAY, events
from support.worker import Worker

from stream_app.kafka.embedded import EmbeddedKafka
from stream_app.kafka.topics import TopicPlan, ensure_topics

TRAINER = (sys.executable, "-m", "stream_app", "trainer")
UNUSUAL = "  unusual: {features: [orders_9d, spend_9d], top: 0.05}\n"
#: After so many days there are models; those that follow are scored by them.
FIRST_DAYS, DAYS = 16, 24
#: A thousand have to be sampled before anybody is unusual.
USERS = 1_200
SECONDS = 60.0
#: Alerts whose expression has no value while all is well, thresholds aside.
NEED_A_FAULT = {
    "StreamAppAway": "is about what is absent",
    "StreamAppTrainerAway": "is about what is absent",
    "StreamAppLagUnknown": "is about what is absent",
    "StreamAppModelRefused": "counted from the first refusal on",
    "StreamAppModelsDiffer": "counted from the first difference on",
}

pytestmark = pytest.mark.timeout(240)


def plan() -> TopicPlan:
    names = ("clicks", "purchases", "tags", "tag_state", "dead_letters", "training", "models")
    return replace(
        TopicPlan(app_id="shop", partitions=2, clicks="", purchases="", tags="", tag_state="",
                  dead_letters=""),
        **{name: f"shop-{name}" for name in names},
    )  # fmt: skip


def messages(topics: TopicPlan) -> list[dict[str, list[Message]]]:
    """What is to be sent, by day and topic."""
    days: dict[int, dict[str, list[Message]]] = {}
    for line in events(days=DAYS, users=USERS):
        event = json.loads(line)
        topic = topics.purchases if event["type"] == "purchase" else topics.clicks
        day = days.setdefault(event["occurred_at"] // DAY, {})
        day.setdefault(topic, []).append(Message(event["user_id"].encode(), line))
    return list(days.values())


def send(servers: str, worker: Worker, days: Iterable[dict[str, list[Message]]]) -> None:
    """A day at a time: time must not pass by one topic while the other one lags behind."""
    for day in days:
        sent = worker.metric("stream_app_events_total") + sum(map(len, day.values()))
        for topic, found in day.items():
            asyncio.run(produce(servers, topic, found))
        until(partial(folded, worker, sent), "events are not folded", worker)


def folded(worker: Worker, events: float) -> bool:
    return worker.metric("stream_app_events_total") >= events


def until(found: Callable[[], bool], what: str, *processes: Worker) -> None:
    deadline = time.monotonic() + SECONDS
    while not found():
        for process in processes:
            assert process.alive, process.tail()
        assert time.monotonic() < deadline, f"{what}:\n" + "\n".join(p.tail() for p in processes)
        time.sleep(0.02)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all of them write."""
    return tmp_path_factory.mktemp("watched")


@pytest.fixture(scope="module")
def prometheus(folder: Path) -> Iterator[Prometheus]:
    """Prometheus, when it has seen a worker and a trainer at work, predictions scored included."""
    topics = plan()
    catalogue = folder / "catalogue.yaml"
    catalogue.write_text(CATALOGUE.rstrip() + "\n" + UNUSUAL)
    started: list[Worker] = []
    with EmbeddedKafka(folder / "kafka", port=0, heap="512m") as kafka:
        servers = kafka.bootstrap_servers
        asyncio.run(ensure_topics({"bootstrap_servers": servers}, topics))
        env = environment(
            servers, topics, catalog=catalogue, clock="event", retention_days=36_500,
            training_topic=topics.training, models_topic=topics.models, log_format="json",
        )  # fmt: skip
        try:
            worker = Worker(folder / "worker.log", env)
            trainer = Worker(folder / "trainer.log", env, TRAINER)
            started += [worker, trainer]
            watching = Prometheus(folder, {"worker": worker.port, "trainer": trainer.port})
            started.append(watching.process)
            worker.wait_ready()
            watching.wait_ready()
            days = messages(topics)
            send(servers, worker, days[:FIRST_DAYS])
            until(
                lambda: worker.metric("stream_app_model_version", task="orders_soon") > 0
                and worker.metric("stream_app_model_version", task="segments") > 0,
                "no models", worker, trainer,
            )  # fmt: skip
            send(servers, worker, days[FIRST_DAYS:])
            until(
                lambda: trainer.metric("stream_app_model_auc", task="orders_soon") > 0,
                "no quality", worker, trainer,
            )  # fmt: skip
            yield watching
        finally:
            for process in started:
                process.kill()


def check(prometheus: Prometheus, queries: Mapping[str, str]) -> None:
    """None fails, and each has a value within a while: what follows a scrape needs several."""
    deadline = time.monotonic() + 20
    empty = dict(queries)
    while empty and time.monotonic() < deadline:
        empty = {what: query for what, query in empty.items() if not prometheus.query(query)}
        if empty:
            time.sleep(1)
    assert not empty


def board(path: Path) -> dict[str, str]:
    """What a dashboard asks, by panel; what may be empty is only asked whether it is valid."""
    asked: dict[str, str] = {}
    for number, (title, query, why) in enumerate(build().asked(json.loads(path.read_text()))):
        query = as_of_now(query)
        asked[f"{number} {title}: {query}"] = f"({query}) or vector(0)" if why else query
    assert asked
    return asked


@pytest.mark.parametrize("path", sorted(DASHBOARDS.glob("*.json")), ids=lambda path: path.stem)
def test_every_panel_shows_something(prometheus: Prometheus, path: Path) -> None:
    check(prometheus, board(path))


def test_every_alert_asks_for_what_there_is(prometheus: Prometheus) -> None:
    asked = {}
    for name, rule in alerts().items():
        query = without_thresholds(rule["expr"])
        asked[f"{name}: {query}"] = f"({query}) or vector(0)" if name in NEED_A_FAULT else query
    assert alerts().keys() >= NEED_A_FAULT.keys()
    check(prometheus, asked)


def test_every_rule_is_evaluated(prometheus: Prometheus) -> None:
    found = [rule for group in prometheus.ask("rules")["groups"] for rule in group["rules"]]
    assert {rule["name"] for rule in found} >= alerts().keys()
    assert {rule["name"]: rule.get("lastError") for rule in found if rule["health"] != "ok"} == {}


def test_nothing_critical_fires_where_all_is_well(prometheus: Prometheus) -> None:
    firing = prometheus.query('ALERTS{alertstate="firing",severity="critical"}')
    assert [series["metric"]["alertname"] for series in firing] == []


@pytest.mark.usefixtures("prometheus")
@pytest.mark.parametrize("process", ["worker", "trainer"])
def test_logs_are_for_machines_and_name_no_user(folder: Path, process: str) -> None:
    written = (folder / f"{process}.log").read_text()
    lines = [json.loads(line) for line in written.splitlines()]
    assert all(line.keys() >= {"timestamp", "level", "logger", "message"} for line in lines)
    assert any("partition" in line for line in lines)
    users = {json.loads(line)["user_id"] for line in events(days=DAYS, users=USERS)}
    assert not users & set(re.findall(r"\w+", written))
