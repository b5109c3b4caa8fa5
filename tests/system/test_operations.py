"""What an operator meets: catalogues that change, brokers that are away, offsets that are gone."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from aiokafka.protocol.admin import DeleteGroupsRequest
from support.broker import Message, produce, read_to_end
from support.clicks import CATALOGUE, START, click, users_on
from support.worker import Worker

from stream_app.kafka.topics import TopicPlan, ensure_topics

USERS = [name for number in range(4) for name, _ in zip(users_on(number), range(3), strict=False)]
LOUD = CATALOGUE.replace("clicks_24h >= 1", "clicks_24h >= 1 and spend_30d < 0")
#: A worker that ended without leaving the group holds its partitions for no longer.
SHORT = {"session_timeout_s": 6, "drain_timeout_s": 3}
BROKEN = CATALOGUE.replace("clicks_24h >= 3", "clicks_42h >= 3")


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    """A catalogue file that a test may change."""
    path = tmp_path / "shop.yaml"
    path.write_text(CATALOGUE)
    return path


def until(holds: Callable[[], object], what: str, seconds: float = 45.0) -> None:
    """Return when `holds()` is true; an AssertionError names `what` when it takes too long."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.1)


@asynccontextmanager
async def admin_of(servers: str) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def send(servers: str, topics: TopicPlan, *numbers: int, by: str | None = None) -> None:
    """A click of every user for each number."""
    await produce(
        servers,
        topics.clicks,
        [Message(u.encode(), click(u, n, START + n), START + n) for n in numbers for u in USERS],
        transactional_id=by,
    )


async def changes(servers: str, topics: TopicPlan) -> list[tuple[str, int, str, str]]:
    """User, version, action and tag of every committed change, by user and version."""
    found = [json.loads(r.value) for r in await read_to_end(servers, topics.tags)]
    return sorted((c["user_id"], c["version"], c["action"], c["tag"]) for c in found)


async def changed(servers: str, topics: TopicPlan, total: int) -> list[tuple[str, int, str, str]]:
    """The changes once there are `total` of them."""
    async with asyncio.timeout(45):
        while len(found := await changes(servers, topics)) < total:
            await asyncio.sleep(0.1)
    return found


def told(worker: Worker, text: str) -> bool:
    return text in worker.log.read_text(errors="replace")


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def each(*steps: str) -> list[tuple[str, int, str, str]]:
    """The changes of all users if each went through `steps` (`+tag` or `-tag`)."""
    words = {"+": "added", "-": "removed"}
    return sorted(
        (user, version, words[step[0]], step[1:])
        for user in USERS
        for version, step in enumerate(steps, 1)
    )


def test_a_broken_catalogue_at_start_names_file_line_and_field(run_worker, plan, catalogue):
    catalogue.write_text(BROKEN)
    worker = run_worker("127.0.0.1:1", plan, catalog=catalogue, ready=False)
    assert worker.exit_code(30) == 2
    assert told(worker, f"{catalogue}:10: tags.regular.when: ")
    assert told(worker, "clicks_24h")


def test_broken_settings_at_start_are_named(run_worker, plan):
    worker = run_worker("127.0.0.1:1", plan, round_records="many", ready=False)
    assert worker.exit_code(30) == 2
    assert told(worker, "STREAM_APP_ROUND_RECORDS")


async def test_a_catalogue_changes_while_running_and_between_runs(
    kafka, topics, run_worker, catalogue
):
    servers = kafka.bootstrap_servers
    worker = await asyncio.to_thread(run_worker, servers, topics, catalog=catalogue)
    await send(servers, topics, 1)
    assert await changed(servers, topics, len(USERS)) == each("+visitor")

    catalogue.write_text(BROKEN)
    failures = "stream_app_catalogue_reload_failures_total"
    await asyncio.to_thread(until, lambda: worker.metric(failures), "the refusal")
    assert told(worker, f"{catalogue}:10: tags.regular.when: ")
    await send(servers, topics, 2, 3)
    assert await changed(servers, topics, 2 * len(USERS)) == each("+visitor", "+regular")

    # Mended, with another rule and a feature more: rows get another layout.
    catalogue.write_text(
        LOUD.replace("features:\n", "features:\n  active: {active_days: any, window: 7d}\n")
    )
    mended = each("+visitor", "+regular", "-visitor")
    assert await changed(servers, topics, len(mended)) == mended
    assert worker.metric(failures) == 1
    assert worker.metric("stream_app_catalogue") == 1
    assert await asyncio.to_thread(worker.terminate) == 0

    # Rules that change while nobody runs are applied by the next start, without events.
    catalogue.write_text(CATALOGUE)
    again = await asyncio.to_thread(run_worker, servers, topics, catalog=catalogue)
    back = each("+visitor", "+regular", "-visitor", "+visitor")
    assert await changed(servers, topics, len(back)) == back
    assert await asyncio.to_thread(again.terminate) == 0


def test_without_brokers_a_worker_waits_and_can_be_stopped(run_worker, plan, catalogue):
    worker = run_worker("127.0.0.1:1", plan, catalog=catalogue, ready=False)
    until(lambda: worker.metric("stream_app_reconnects_total") >= 2, "two tries")
    used = cpu_seconds(worker.pid)
    time.sleep(2)
    assert cpu_seconds(worker.pid) - used < 0.5
    assert worker.get("/readyz")[0] == 503
    assert worker.get("/livez")[0] == 200
    assert worker.terminate() == 0


@pytest.mark.timeout(300)
async def test_brokers_away_are_waited_for_and_nothing_is_lost(
    own_kafka, plan, run_worker, catalogue
):
    """Two applications: one outlasts an outage, the other's patience ends and it starts again."""
    servers = own_kafka.bootstrap_servers
    # Both read the same inputs.
    other = replace(
        plan,
        app_id=f"{plan.app_id}h",
        tags=f"{plan.tags}h",
        tag_state=f"{plan.tag_state}h",
        dead_letters=f"{plan.dead_letters}h",
    )
    for own in (plan, other):
        await ensure_topics({"bootstrap_servers": servers}, own)
    await send(servers, plan, 1)
    own_kafka.kill()
    patient, hasty = (
        run_worker(servers, own, catalog=catalogue, ready=False, stall_timeout_s=stall, **SHORT)
        for own, stall in ((plan, 90), (other, 11))
    )
    until(lambda: told(patient, "Kafka is away, next try in"), "a try")
    own_kafka.restart()
    for own in (plan, other):
        assert await changed(servers, own, len(USERS)) == each("+visitor")

    own_kafka.kill()
    away = '"connected": {"ok": false'
    until(lambda: away in patient.get("/readyz")[1], "a report that brokers are away")
    used = cpu_seconds(patient.pid)
    until(lambda: told(hasty, "Ending: no fetch was answered"), "the end of patience")
    until(lambda: hasty.metric("stream_app_reconnects_total") >= 2, "waiting at start")
    assert cpu_seconds(patient.pid) - used < 2
    own_kafka.restart()
    await send(servers, plan, 2, 3)
    for worker, own in ((patient, plan), (hasty, other)):
        assert await changed(servers, own, 2 * len(USERS)) == each("+visitor", "+regular")
        await asyncio.to_thread(worker.wait_ready)
    assert not told(patient, "Ending:")
    assert hasty.log.read_text().count("Ending:") == 1

    own_kafka.kill()
    started = time.monotonic()
    assert patient.terminate(60) in (0, 75)
    assert time.monotonic() - started < 20


async def test_offsets_of_the_group_and_markers_in_the_inputs_do_not_matter(
    kafka, topics, run_worker, catalogue
):
    servers, shop = kafka.bootstrap_servers, f"{topics.app_id}-shop"
    worker = await asyncio.to_thread(run_worker, servers, topics, catalog=catalogue)
    await send(servers, topics, 1, by=shop)
    await changed(servers, topics, len(USERS))
    assert await asyncio.to_thread(worker.terminate) == 0
    async with admin_of(servers) as admin:
        published = await admin.list_consumer_group_offsets(topics.app_id)
        parts = [tp for tp in published if tp.topic == topics.clicks]
        assert sum(published[tp].offset for tp in parts) == len(USERS)
        coordinator = await admin.find_coordinator(topics.app_id)
        deleted = await admin._send_request(DeleteGroupsRequest([topics.app_id]), coordinator)
        assert [code for _, code in deleted.results] == [0]
        assert not await admin.list_consumer_group_offsets(topics.app_id)
    await send(servers, topics, 1, 2, 3, by=shop)
    worker = await asyncio.to_thread(run_worker, servers, topics, catalog=catalogue)
    # The second delivery of number 1 is a duplicate: nothing was read twice or left out.
    assert await changed(servers, topics, 2 * len(USERS)) == each("+visitor", "+regular")
    # The marker after the first three records of each partition.
    assert worker.text().count("begins at 4 instead of 3: reading again") == 4


async def test_a_changelog_without_offsets_is_refused(kafka, topics, run_worker, catalogue):
    rows = [Message(user.encode(), b"\1" * 64) for user in USERS]
    await produce(kafka.bootstrap_servers, topics.changelog, rows)
    worker = run_worker(kafka.bootstrap_servers, topics, catalog=catalogue, ready=False)
    assert await asyncio.to_thread(worker.exit_code, 60) == 78
    assert told(worker, topics.changelog)
    assert told(worker, "Restore")


async def test_events_deleted_unread_are_refused_until_the_loss_is_accepted(
    kafka, topics, run_worker, catalogue
):
    servers = kafka.bootstrap_servers
    worker = await asyncio.to_thread(run_worker, servers, topics, catalog=catalogue)
    await send(servers, topics, 1)
    await changed(servers, topics, len(USERS))
    assert await asyncio.to_thread(worker.terminate) == 0
    await send(servers, topics, 2, 3, 4, 5)
    async with admin_of(servers) as admin:
        # Per partition three users: offsets 0-2 were read, 3-8 are lost, 9-14 remain.
        await admin.delete_records(
            {TopicPartition(topics.clicks, number): RecordsToDelete(9) for number in range(4)}
        )
    refused = run_worker(servers, topics, catalog=catalogue, ready=False, **SHORT)
    assert await asyncio.to_thread(refused.exit_code, 60) == 78
    assert told(refused, "deleted 6 events unread")
    assert told(refused, "STREAM_APP_ACCEPT_GAPS=true")
    assert await changes(servers, topics) == each("+visitor")

    accepting = await asyncio.to_thread(
        run_worker, servers, topics, catalog=catalogue, accept_gaps=True
    )
    assert await changed(servers, topics, 2 * len(USERS)) == each("+visitor", "+regular")
    for number in range(4):
        lost = f"{topics.clicks} partition {number}: a gap is accepted: the 6 offsets from 3 to 8"
        assert told(accepting, lost)


async def recreate(servers: str, topic: str) -> None:
    """Delete a topic and make it anew, empty."""
    async with admin_of(servers) as admin:
        await admin.delete_topics([topic])
        async with asyncio.timeout(30):
            while True:
                made = await admin.create_topics([NewTopic(topic, 4, 1)])
                if not made.topic_errors[0][1]:
                    return
                await asyncio.sleep(0.2)


@pytest.mark.parametrize("running", [True, False], ids=["while running", "between runs"])
async def test_an_input_made_anew_is_refused(kafka, topics, run_worker, catalogue, running):
    servers = kafka.bootstrap_servers
    worker = await asyncio.to_thread(run_worker, servers, topics, catalog=catalogue, **SHORT)
    await send(servers, topics, 1, 2)
    await changed(servers, topics, len(USERS))
    if not running:
        assert await asyncio.to_thread(worker.terminate) == 0
    await recreate(servers, topics.clicks)
    if not running:
        worker = run_worker(servers, topics, catalog=catalogue, ready=False)
    assert await asyncio.to_thread(worker.exit_code, 60) == 78
    assert told(worker, f"{topics.clicks} partition")
    assert told(worker, "it was deleted and made anew, or cut")


def test_a_taken_port_and_topics_that_do_not_fit_are_refused(kafka, topics, run_worker, catalogue):
    servers = kafka.bootstrap_servers
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        worker = run_worker(servers, topics, catalog=catalogue, http_port=port, ready=False)
        assert worker.exit_code(30) == 78
    assert told(worker, "is in use by another program")
    worker = run_worker(servers, topics, catalog=catalogue, partitions=5, ready=False)
    assert worker.exit_code(30) == 78
    assert told(worker, "set STREAM_APP_PARTITIONS=4")
    assert not told(worker, "Traceback")
