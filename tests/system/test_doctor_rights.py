"""The doctor against a Kafka that lets in only who may: each missing right is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from support.broker import Message, produce
from support.clicks import CATALOGUE, Rec
from support.guarded import GuardedKafka, guarded_kafka, without

from stream_app.domain.errors import Reason, Rejected
from stream_app.kafka.client.acls import Right, rights
from stream_app.kafka.dead_letter_queue.dead_letters import dead_letter
from stream_app.kafka.embedded.probe import free_port
from stream_app.kafka.topics import TopicPlan, ensure_topics


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedKafka]:
    made = guarded_kafka(tmp_path_factory.mktemp("guarded"))
    with made.broker:
        yield made


@pytest.fixture
async def topics(guarded: GuardedKafka, plan: TopicPlan) -> TopicPlan:
    await ensure_topics({"bootstrap_servers": guarded.broker.bootstrap_servers}, plan)
    return plan


#: No topics of learning, which the settings name all the same.
LEARNING = {"training_topic": "training", "models_topic": "models"}


def see(
    guarded: GuardedKafka, plan: TopicPlan, role: str, **more: object
) -> dict[str, list[tuple[str, str]]]:
    """State and text of what the doctor says to that role's user, by subject."""
    settings = {"catalog": catalogue(guarded), "http_port": free_port()} | LEARNING | more
    env = guarded.environment(role, plan, **settings)
    done = subprocess.run(
        [sys.executable, "-m", "stream_app", "doctor", "--format", "json", "--role", role],
        env=os.environ | env, capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    found: dict[str, list[tuple[str, str]]] = {}
    for finding in json.loads(done.stdout)["findings"]:
        found.setdefault(finding["subject"], []).append((finding["state"], finding["text"]))
    return found


def catalogue(guarded: GuardedKafka) -> str:
    """One that learns nothing."""
    file = guarded.folder / "shop.yaml"
    file.write_text(CATALOGUE)
    return str(file)


def wanted(guarded: GuardedKafka, plan: TopicPlan) -> list[Right]:
    return rights(guarded.settings("worker", plan, **LEARNING), learning=False)


@pytest.mark.timeout(300)
async def test_rights_are_told_one_by_one_and_what_may_not_be_seen_is_a_warning(
    guarded: GuardedKafka, topics: TopicPlan
) -> None:
    every = wanted(guarded, topics)
    await guarded.grant(every)
    refused = Rec(None, topic=topics.clicks)
    headers = dead_letter(refused, Rejected(0, 0, Reason.EMPTY, "no value"), 1_024).headers
    letter = Message(b"", b"", headers=headers)
    await produce(guarded.broker.bootstrap_servers, topics.dead_letters, [letter])
    worker = see(guarded, topics, "worker")
    assert [state for state, _ in worker["rights"]] == ["ok"], worker
    assert {state for state, _ in worker["topics"]} == {"ok"}
    # It writes dead letters and reads none.
    assert worker["dead letters"][0][0] == "warning"
    assert f"topic {topics.dead_letters}" in worker["dead letters"][0][1]
    operator = see(guarded, topics, "operator")
    assert [state for state, _ in operator["rights"]] == ["ok"], operator
    assert operator["dead letters"] == [("warning", "1 in the last hour (empty 1)")]

    await guarded.revoke("User:worker")
    await guarded.grant(without(every, "worker", topics.tags, "Write"))
    told = see(guarded, topics, "worker")["rights"]
    assert told == [
        (
            "problem",
            f"as worker, this user may not Write topic {topics.tags} (writes what it decides)",
        )
    ]
    await guarded.revoke("User:worker")
    await guarded.grant(without(every, "worker", f"{topics.app_id}-", "Write"))
    # Describe is left, and more cannot be asked without taking the id.
    assert see(guarded, topics, "worker")["rights"][0][0] == "ok"
    await guarded.revoke("User:worker")
    await guarded.grant(right for right in every if right.resource == "topic")
    found = see(guarded, topics, "worker")
    assert found["workers"][0][0] == "warning"
    texts = [text for _, text in found["rights"]]
    assert any(f"may not Read group {topics.app_id}" in text for text in texts), texts
    assert any(f"may not Describe transactional-id {topics.app_id}-" in text for text in texts)


def test_a_login_that_is_refused_is_told(guarded: GuardedKafka, plan: TopicPlan) -> None:
    wrong = guarded.folder / "wrong"
    wrong.write_text("not-it")
    found = see(guarded, plan, "worker", sasl_password_file=wrong)
    assert found["brokers"][0][0] == "problem"
    assert "knows no user worker with this password" in found["brokers"][0][1]
    assert "topics" not in found
