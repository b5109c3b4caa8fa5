"""Five planted bugs, and for each what makes it happen for certain; a worker without it bears that.

Each scenario runs a stage of its own until it is at rest. `bug` is empty for the worker as it is.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from chaos import planted
from chaos.crew import TRY_AGAIN, Member
from chaos.planted import BRAKE, BUG, GATE, REREAD
from chaos.stage import Stage
from stream_app.kafka.topics.spec import topic_specs

PROGRAM = (sys.executable, planted.__file__, "worker", "--no-restart")
SECONDS = 60.0


def start(stage: Stage, bug: str, **env: str) -> Member:
    """A worker with the bug, or with none."""
    return stage.worker(PROGRAM, **({BUG: bug} if bug else {}), **env)


async def until(done: Callable[[], bool], seconds: float = SECONDS) -> None:
    async with asyncio.timeout(seconds):
        while not await asyncio.to_thread(done):
            await asyncio.sleep(0.05)


def transactions(worker: Member) -> float:
    return worker.process.metric("stream_app_transactions_total")


async def killed_in_the_middle(stage: Stage, bug: str) -> None:
    """It dies in the middle of its first transaction, and is started again."""
    gate = stage.folder / "gate"
    gate.write_text("kill")
    await stage.feed.send(600)
    worker = start(stage, bug, **{GATE: str(gate)})
    worker.held = True
    await until(lambda: not worker.process.alive)
    worker.start()
    await stage.settle()


async def refused_by_kafka(stage: Stage, bug: str) -> None:
    """Kafka refuses the changes of tags for a while."""
    worker = start(stage, bug)
    worker.held = True
    await worker.ready()
    await limit(stage, 100)
    await stage.feed.send(600)
    ends = dict(stage.feed.ends)
    await until(lambda: not worker.process.alive or stage.progress.reached(ends))
    if not bug:
        assert worker.process.exit_code() == TRY_AGAIN, worker.process.tail()
    worker.process.kill()
    await limit(stage, stage.plan.max_message_bytes)
    worker.start()
    await stage.settle()


async def given_everything_again(stage: Stage, bug: str) -> None:
    """It dies at rest; its successor gets all of its input once more."""
    await stage.feed.send(600)
    worker = start(stage, bug)
    worker.held = True
    await stage.settle()
    worker.process.kill()
    worker.start({REREAD: "1"})
    await worker.ready()
    await stage.feed.send(600)
    await stage.settle()


async def joined_with_a_full_queue(stage: Stage, bug: str) -> None:
    """A second worker joins while thousands of events wait in the memory of the first."""
    brake = stage.folder / "brake"
    brake.touch()
    await stage.feed.send(6_000)
    first = start(stage, bug, **{BRAKE: str(brake)})
    await until(lambda: first.process.metric("stream_app_queued") > 2_000)
    second = start(stage, bug)
    await until(lambda: bool(second.restored()))
    # What the first had read of its partition comes again before it has folded that.
    rounds = transactions(first) + 3
    with suppress(TimeoutError):
        await until(lambda: transactions(first) >= rounds, 10)
    # Who stands still for good does not settle.
    brake.unlink()
    await stage.settle()


async def frozen_in_the_middle(stage: Stage, bug: str) -> None:
    """It is frozen in the middle of a transaction; another one does all of its work; it wakes up.

    AssertionError where it is not fenced then.
    """
    gate = stage.folder / "gate"
    frozen, other = start(stage, bug, **{GATE: str(gate)}), start(stage, bug)
    frozen.held = True
    await asyncio.gather(frozen.ready(), other.ready())
    await until(lambda: bool(frozen.restored()) and bool(other.restored()))
    gate.write_text("freeze")
    await stage.feed.send(600)
    try:
        await until(lambda: not gate.exists())
        # Not by what is committed: of a zombie that nobody ends, that would wait for ever.
        sent = sum(stage.feed.ends.values())
        await until(lambda: other.process.metric("stream_app_events_total") >= sent)
    finally:
        frozen.process.thaw()
    if not bug:
        assert await asyncio.to_thread(frozen.process.exit_code) == TRY_AGAIN
        assert "ProducerFenced" in frozen.process.text(), frozen.process.tail()
        frozen.start()
    await stage.feed.send(600)
    await stage.settle()


Scenario = Callable[[Stage, str], Awaitable[None]]
SCENARIOS: Mapping[str, Scenario] = {
    "commit-before-send": killed_in_the_middle,
    "ignored-send-failure": refused_by_kafka,
    "no-trimming": given_everything_again,
    "kept-queue": joined_with_a_full_queue,
    "no-fencing": frozen_in_the_middle,
}


async def limit(stage: Stage, max_bytes: int) -> None:
    """Set max.message.bytes of `tags`, and return when the broker goes by it."""
    servers, name = stage.servers, stage.plan.tags
    config = next(spec.config for spec in topic_specs(stage.plan) if spec.name == name)
    config |= {"max.message.bytes": str(max_bytes)}
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, config)])
        async with asyncio.timeout(SECONDS):
            while await _limit(admin, name) != max_bytes:
                await asyncio.sleep(0.02)
    finally:
        await admin.close()


async def _limit(admin: AIOKafkaAdminClient, topic: str) -> int:
    (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    return next(
        int(entry[1]) for entry in answer.resources[0][4] if entry[0] == "max.message.bytes"
    )
