"""A worker with a bug planted in it, as a program; without one, the worker as it is.

    CHAOS_BUG=no-fencing CHAOS_GATE=gate python tests/chaos/planted.py worker --no-restart

In the middle of its next transaction it does what the file CHAOS_GATE says (`kill`, `freeze`),
once. As long as the file CHAOS_BRAKE is there, it folds a round in a second. With
CHAOS_REREAD=1 it reads its inputs from the beginning, whatever it has folded already. The worker
that is as it should be must bear all of these.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

import aiokafka
from faust.types import TP

from stream_app import app
from stream_app.cli import main
from stream_app.kafka.client.writer import Packed, TransactionWriter
from stream_app.kafka.faust_adapters.transport import BatchingConsumer
from stream_app.kafka.input_topics import queue
from stream_app.kafka.input_topics.queue import RecordQueue, Taken
from stream_app.kafka.partition.gaps import Gaps
from stream_app.kafka.partition.turns import Turns

BUG, GATE, BRAKE, REREAD = "CHAOS_BUG", "CHAOS_GATE", "CHAOS_BRAKE", "CHAOS_REREAD"
_SIGNALS: Final = {"kill": signal.SIGKILL, "freeze": signal.SIGSTOP}
BRAKE_S: Final = 1.0


def middle() -> None:
    """Between what a transaction writes first and what it writes last."""
    gate = Path(os.environ.get(GATE, "/no/gate"))
    if gate.exists():
        told = gate.read_text()
        gate.unlink()
        os.kill(os.getpid(), _SIGNALS[told])


def gate_before_commit() -> None:
    commit = aiokafka.AIOKafkaProducer.commit_transaction

    async def gated(self: Any) -> None:
        middle()
        await commit(self)

    aiokafka.AIOKafkaProducer.commit_transaction = gated


def brake() -> None:
    following = Turns.next

    async def braked(self: Turns) -> None:
        if os.path.exists(os.environ.get(BRAKE, "/no/brake")):
            await asyncio.sleep(BRAKE_S)
        await following(self)

    Turns.next = braked  # type: ignore[method-assign]


def reread() -> None:
    """Read from the beginning; without what would end the process for that, trimming has to do."""
    seek = BatchingConsumer._seek

    async def let_it(self: Gaps, number: int, expected: int, position: int) -> None:
        pass

    Gaps.refuse_return = let_it  # type: ignore[method-assign]

    async def from_the_beginning(self: BatchingConsumer, partition: TP, offset: int) -> None:
        await seek(self, partition, 0)

    BatchingConsumer._seek = from_the_beginning  # type: ignore[method-assign]


def commit_before_send() -> None:
    """Progress is committed, then outputs are sent: who dies between has lost them."""
    write = TransactionWriter._send

    async def send(self: TransactionWriter, packed: Packed) -> None:
        progress = {name: part for name, part in packed.items() if name.endswith("-changelog")}
        await write(self, progress)
        middle()
        await self._producer.begin_transaction()
        await write(self, {name: part for name, part in packed.items() if name not in progress})

    TransactionWriter._send = send  # type: ignore[method-assign]


def ignored_send_failure() -> None:
    """What a send came to is not looked at before the commit."""

    async def send(self: TransactionWriter, packed: Packed) -> None:
        sent = []
        for wave in zip_longest(*packed.values()):
            for topic, batch in zip(packed, wave, strict=True):
                if batch is not None:
                    sent.append(
                        await self._producer.send_batch(batch, topic, partition=self._number)
                    )
        await asyncio.gather(*sent, return_exceptions=True)
        await self._producer.commit_transaction()

    TransactionWriter._send = send  # type: ignore[method-assign]


def no_trimming() -> None:
    """What is read again is folded again."""
    queue.bisect_left = lambda fetch, offset, key: 0  # type: ignore[attr-defined]


def kept_queue() -> None:
    """A revoke leaves the queue as it is; of a round, the first record alone is compared.

    A queue that is kept does no harm as long as each record is compared: both had to be wrong, and
    once were.
    """
    trim, take = queue.bisect_left, RecordQueue._take_topic
    taking: list[Taken] = []

    def first_only(fetch: Any, offset: int, key: Any) -> int:
        return trim(fetch, offset, key=key) if not any(taking[-1].records) else 0

    def noting(self: RecordQueue, topic: int, taken: Taken, *bounds: int) -> None:
        taking[:] = [Taken([taken.records[topic]], [], [])]
        take(self, topic, taken, *bounds)

    queue.bisect_left = first_only  # type: ignore[attr-defined]
    RecordQueue._take_topic = noting  # type: ignore[method-assign]
    RecordQueue.clear = lambda self: None  # type: ignore[method-assign]


def no_fencing() -> None:
    """Every process has transactional ids of its own: nobody ends what another has begun."""
    make = app._new_writer

    def with_own_id(settings: Any, number: int) -> TransactionWriter:
        return make(
            settings.model_copy(update={"app_id": f"{settings.app_id}-{os.getpid()}"}), number
        )

    app._new_writer = with_own_id


BUGS: Final[dict[str, Callable[[], None]]] = {
    "commit-before-send": commit_before_send,
    "ignored-send-failure": ignored_send_failure,
    "no-trimming": no_trimming,
    "kept-queue": kept_queue,
    "no-fencing": no_fencing,
}

if __name__ == "__main__":
    bug = os.environ.get(BUG, "")
    if bug != "commit-before-send":
        gate_before_commit()
    brake()
    if os.environ.get(REREAD):
        reread()
    if bug:
        BUGS[bug]()
    main()
