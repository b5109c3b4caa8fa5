"""The doctor against a real Kafka: what is healthy, and each illness with its remedy."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from msgspec.structs import replace as changed
from support.broker import Message, environment, produce
from support.clicks import CATALOGUE, START, Rec, click
from support.learned import TEXT
from support.settled import Event, settle
from support.trainer import model
from support.worker import Worker

from stream_app.domain.clock import DAY
from stream_app.domain.errors import Reason, Rejected
from stream_app.engine import load_catalogue
from stream_app.kafka.dead_letter_queue.dead_letters import dead_letter
from stream_app.kafka.embedded.probe import free_port
from stream_app.kafka.maintenance.offline import begin
from stream_app.kafka.topics import TopicPlan, ensure_topics
from stream_app.kafka.topics.grow import grow
from stream_app.learning import snapshot
from stream_app.settings import Settings

#: Old events under new record times.
SETTINGS = {"clock": "event", "retention_days": 36_500}


class Doctor:
    """Runs `stream-app doctor` with the settings of a worker; `env` may be changed."""

    def __init__(self, servers: str, plan: TopicPlan, catalogue: Path) -> None:
        topics = {"training_topic": plan.training, "models_topic": plan.models}
        given = {"catalog": catalogue, "http_port": free_port()} | SETTINGS
        self.env = environment(servers, plan, **given, **{k: v for k, v in topics.items() if v})
        self.seconds = 0.0

    def see(self, *arguments: str) -> tuple[int, dict[str, list[dict[str, str]]]]:
        """Exit code, and findings by subject."""
        begun = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "stream_app", "doctor", "--format", "json", *arguments],
            env=os.environ | self.env, capture_output=True, text=True, timeout=90, check=False,
        )  # fmt: skip
        self.seconds = time.monotonic() - begun
        assert "Traceback" not in done.stderr, done.stderr
        found: dict[str, list[dict[str, str]]] = {}
        for finding in json.loads(done.stdout)["findings"]:
            found.setdefault(finding["subject"], []).append(finding)
        return done.returncode, found

    def bad(self, *arguments: str) -> tuple[int, list[tuple[str, str, str, str]]]:
        """Exit code, and all that is not well."""
        code, found = self.see(*arguments)
        return code, [
            (one["state"], subject, one["text"], one["remedy"])
            for subject, findings in found.items()
            for one in findings
            if one["state"] != "ok"
        ]


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    path = tmp_path / "shop.yaml"
    path.write_text(CATALOGUE)
    return path


@pytest.fixture
def doctor(kafka, plan: TopicPlan, catalogue: Path) -> Doctor:
    return Doctor(kafka.bootstrap_servers, plan, catalogue)


def worker_of(run_worker, kafka, topics: TopicPlan, catalogue: Path) -> Worker:
    return run_worker(kafka.bootstrap_servers, topics, catalog=catalogue, **SETTINGS)


async def send(kafka, topics: TopicPlan, *numbers: int, value: bytes | None = None) -> None:
    messages = [
        Message(user.encode(), value or click(user, n, START + n))
        for n in numbers
        for user in map("user-{}".format, range(20))
    ]
    await produce(kafka.bootstrap_servers, topics.clicks, messages)


async def caught_up(worker: Worker, total: int) -> None:
    async with asyncio.timeout(30):
        while worker.metric("stream_app_events_total") < total or worker.metric("stream_app_lag"):
            await asyncio.sleep(0.05)


async def test_all_is_well_with_a_worker_that_has_caught_up(
    kafka, topics: TopicPlan, run_worker, catalogue, doctor: Doctor
) -> None:
    worker = await asyncio.to_thread(worker_of, run_worker, kafka, topics, catalogue)
    # A round to each partition.
    await send(kafka, topics, 1)
    await caught_up(worker, 20)
    doctor.env["STREAM_APP_HTTP_PORT"] = str(worker.port)
    code, found = await asyncio.to_thread(doctor.see)
    states = {one["state"] for findings in found.values() for one in findings}
    assert (code, states) == (0, {"ok"}), found
    assert set(found) == {
        "brokers", "catalogue", "clock", "dead letters", "lag", "port", "rights", "state", "time",
        "topics", "workers",
    }  # fmt: skip
    assert found["lag"][0]["text"] == "0 records of all inputs wait"
    assert "as workers use" in found["catalogue"][0]["text"]
    assert found["port"][0]["text"].endswith("is ready")
    assert len(found["topics"]) == 7


async def test_lag_without_a_worker_dead_letters_and_another_catalogue(
    kafka, topics: TopicPlan, run_worker, catalogue, doctor: Doctor
) -> None:
    code, bad = await asyncio.to_thread(doctor.bad)
    assert code == 1
    assert [(state, subject) for state, subject, *_ in bad] == [
        ("problem", "workers"),
        ("warning", "lag"),
    ]
    worker = await asyncio.to_thread(worker_of, run_worker, kafka, topics, catalogue)
    await send(kafka, topics, 1, 2)
    await send(kafka, topics, 3, value=b'{"event_id": "cut')
    await caught_up(worker, 60)
    assert await asyncio.to_thread(worker.terminate) == 0
    await send(kafka, topics, 4)
    catalogue.write_text(CATALOGUE.replace("clicks_24h >= 3", "clicks_24h >= 4"))
    doctor.env["STREAM_APP_STALL_TIMEOUT_S"] = "0.001"
    code, bad = await asyncio.to_thread(doctor.bad)
    assert code == 1
    told = {(state, subject): (text, remedy) for state, subject, text, remedy in bad}
    assert set(told) == {
        ("problem", "workers"), ("problem", "lag"), ("warning", "dead letters"),
        ("warning", "catalogue"),
    }, bad  # fmt: skip
    waiting = [text for _, subject, text, _ in bad if subject == "lag"]
    assert all("records wait, and nothing was committed for" in text for text in waiting)
    assert sum(int(text.split(": ")[1].split()[0]) for text in waiting) == 20
    assert (
        "20 in the last hour (malformed 20), 25.0% of the events"
        in told["warning", "dead letters"][0]
    )
    assert (
        "users were decided otherwise: partition 0, 1, 2, 3 by " in told["warning", "catalogue"][0]
    )


@pytest.mark.timeout(120)
async def test_a_state_half_changed_and_events_that_are_not_routed_or_not_kept(
    kafka, topics: TopicPlan, catalogue, doctor: Doctor
) -> None:
    servers, options = kafka.bootstrap_servers, {"bootstrap_servers": kafka.bootstrap_servers}
    events = [Event(0, f"user-{n}", click(f"user-{n}", n, START)) for n in range(20)]
    await settle(servers, topics, load_catalogue(catalogue).compile(), events, START)
    whole, found = await asyncio.to_thread(doctor.see)
    assert [one["state"] for one in found["state"]] == ["ok"], whole
    assert "routing" not in found

    admin = AIOKafkaAdminClient(**options)
    await admin.start()
    try:
        week = {"retention.ms": str(7 * DAY)}
        resource = ConfigResource(ConfigResourceType.TOPIC, topics.routed, configs=week)
        await admin.alter_configs([resource])
        await grow(admin, {topics.clicks: 6})
    finally:
        await admin.close()
    refused = Rec(None, topic=topics.clicks)
    reason = Rejected(0, 0, Reason.MISROUTED, "belongs elsewhere")
    letter = Message(b"", b"", headers=dead_letter(refused, reason, 1_024).headers)
    await produce(servers, topics.dead_letters, [letter])
    settings = Settings(**options, app_id=topics.app_id, tags_topic=topics.tags)
    await begin(settings, "stream-app repartition --to 8 --apply", 4)

    _, bad = await asyncio.to_thread(doctor.bad)
    told = {(subject, text): remedy for _, subject, text, remedy in bad}
    (state,) = [text for subject, text in told if subject == "state"]
    assert state.startswith("partition 0, 1, 2, 3: `stream-app repartition --to 8 --apply` has")
    kept, astray = [text for subject, text in told if subject == "routing"]
    assert kept.startswith(f"{topics.routed}: retention.ms=604800000: Kafka deletes events that")
    assert "--add-config retention.ms=-1" in told["routing", kept]
    assert "have all workers the same STREAM_APP_PARTITIONS" in told["routing", astray]
    _, found = await asyncio.to_thread(doctor.see)
    texts = [one["text"] for one in found["routing"] if one["state"] == "ok"]
    assert [text[: len(topics.clicks) + 14] for text in texts] == [f"{topics.clicks}: 6 partitions"]

    doctor.env["STREAM_APP_ROUTE"], doctor.env["STREAM_APP_PARTITIONS"] = "never", "8"
    _, bad = await asyncio.to_thread(doctor.bad)
    clicks = [text for _, _, text, _ in bad if text.startswith(f"{topics.clicks}: 6 partition(s)")]
    assert "with STREAM_APP_ROUTE=auto an input may have any number" in clicks[0]
    remedies = [remedy for _, subject, _, remedy in bad if subject == "state"]
    assert remedies[1] == (
        "set STREAM_APP_PARTITIONS=4; or `stream-app repartition --to 8 --apply` moves the users"
    )


async def test_topics_that_are_missing_or_have_other_counts(
    kafka, plan: TopicPlan, doctor: Doctor
) -> None:
    doctor.env["STREAM_APP_ROUTE"] = "never"
    code, bad = await asyncio.to_thread(doctor.bad)
    missing = [(text, remedy) for state, subject, text, remedy in bad if subject == "topics"]
    remedy = "`stream-app topics --apply` creates it"
    assert (code, len(missing)) == (1, 6)
    assert (f"{plan.clicks} is missing", remedy) in missing

    await ensure_topics({"bootstrap_servers": kafka.bootstrap_servers}, plan)
    doctor.env["STREAM_APP_PARTITIONS"] = "5"
    code, bad = await asyncio.to_thread(doctor.bad)
    assert code == 1
    told = [text for _, subject, text, _ in bad if subject == "topics"]
    names = (
        plan.clicks, plan.purchases, plan.changelog, plan.tags, plan.tag_state, plan.dead_letters,
    )  # fmt: skip
    assert len(told) == len(names)
    for name, text in zip(names, told, strict=True):
        assert text.startswith(f"{name}: 4 partition(s), 5 wanted; set STREAM_APP_PARTITIONS=4 to ")
        assert "`stream-app repartition --to 5`" in text


async def test_an_input_made_anew_is_told(
    kafka, topics: TopicPlan, run_worker, catalogue, doctor: Doctor
) -> None:
    worker = await asyncio.to_thread(worker_of, run_worker, kafka, topics, catalogue)
    await send(kafka, topics, 1)
    await caught_up(worker, 20)
    assert await asyncio.to_thread(worker.terminate) == 0
    options = {"bootstrap_servers": kafka.bootstrap_servers}
    admin = AIOKafkaAdminClient(**options)
    await admin.start()
    try:
        await admin.delete_topics([topics.clicks])
        async with asyncio.timeout(20):
            while topics.clicks in await admin.list_topics():
                await asyncio.sleep(0.05)
    finally:
        await admin.close()
    await ensure_topics(options, topics)
    code, bad = await asyncio.to_thread(doctor.bad)
    assert code == 1
    assert any("it was deleted and made anew" in text for _, subject, text, _ in bad)


def test_a_broken_catalogue_is_told_by_line_and_the_rest_is_looked_at(
    doctor: Doctor, catalogue: Path
) -> None:
    catalogue.write_text(CATALOGUE.replace("clicks_24h >= 3", "clicks_42h >= 3"))
    code, found = doctor.see()
    assert code == 1
    assert found["catalogue"][0]["text"].startswith(f"{catalogue}:10: tags.regular.when: ")
    assert found["brokers"][0]["state"] == "ok"
    assert "topics" in found


def test_brokers_that_are_away_hang_or_have_no_name_are_told_in_time(doctor: Doctor) -> None:
    for servers, words in {
        f"127.0.0.1:{free_port()}": "nobody listens there",
        "no-such-host.invalid:9092": "its name has no address",
    }.items():
        doctor.env["STREAM_APP_BOOTSTRAP_SERVERS"] = servers
        code, bad = doctor.bad()
        assert code == 1
        assert bad[0][:2] == ("problem", "brokers")
        assert words in bad[0][2]
        assert "nothing else was looked at" in bad[-1][2]
        # A busy machine is slow to start anything; it waits for none of these.
        started = doctor.seconds
        assert started < 40
    with silent() as port:
        doctor.env["STREAM_APP_BOOTSTRAP_SERVERS"] = f"127.0.0.1:{port}"
        code, bad = doctor.bad("--timeout", "3")
    assert code == 1
    assert doctor.seconds < 12 + 2 * started
    assert "no answer in time" in bad[0][2]


@contextmanager
def silent() -> Iterator[int]:
    """A port that takes connections and never says anything."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(16)
        yield listening.getsockname()[1]


def test_a_port_that_is_another_programs_is_told(doctor: Doctor) -> None:
    with silent() as port:
        doctor.env["STREAM_APP_HTTP_PORT"] = str(port)
        _, found = doctor.see()
    assert "in use by another program" in found["port"][0]["text"]


async def test_a_model_that_is_stale_held_or_missing_is_told(
    kafka, plan: TopicPlan, tmp_path: Path
) -> None:
    servers = kafka.bootstrap_servers
    plan = replace(plan, training=f"{plan.app_id}-training", models=f"{plan.app_id}-models")
    await ensure_topics({"bootstrap_servers": servers}, plan)
    catalogue = tmp_path / "learned.yaml"
    catalogue.write_text(TEXT)
    doctor = Doctor(servers, plan, catalogue)
    doctor.env["STREAM_APP_CLOCK"] = "wall"
    _, found = await asyncio.to_thread(doctor.see)
    tasks = [one["text"].partition(":")[0] for one in found["models"]]
    assert all("no model is published yet" in one["text"] for one in found["models"])
    assert found["trainers"][0]["state"] == "problem"

    task = tasks[0]
    now = int(time.time() * 1000)
    old = changed(model(7, task=task), created_at=now - 5 * DAY)
    held = changed(model(8, task=task), created_at=now - DAY, state="held")
    await produce(
        servers,
        plan.models,
        [
            Message(snapshot.key(task, 7), snapshot.encode(old)),
            Message(snapshot.key(task, 8), snapshot.encode(held)),
            Message(snapshot.current_key(task), snapshot.encode(old)),
        ],
    )
    code, found = await asyncio.to_thread(doctor.see)
    assert code == 1
    told = [(one["state"], one["text"]) for one in found["models"] if task in one["text"]]
    assert ("problem", f"{task}: version 7 has learned nothing for 5.0 days") in told
    assert ("warning", f"{task}: version 8 is held, version 7 stays in use") in told
