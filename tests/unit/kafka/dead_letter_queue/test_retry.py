"""A transaction of dead letters ends in time, also where the brokers hang."""

from __future__ import annotations

import asyncio
from types import TracebackType

import pytest
from aiokafka.errors import KafkaError

from stream_app.kafka.dead_letter_queue import retry
from stream_app.kafka.dead_letter_queue.letters import Letter, Position
from stream_app.kafka.dead_letter_queue.repair import Repaired
from stream_app.kafka.errors import Fatal
from stream_app.settings import Settings

LETTER = Letter(Position(0, 1), 0, "invalid", "", "clicks", Position(0, 1), b"u", b"{}")
EVENT = Repaired(LETTER, 0, "u", b"{}")


class Producer:
    """One whose brokers hang: `hangs` is "send", "commit" or "abort"; what came is in `said`."""

    def __init__(self, *hangs: str, error: Exception | None = None) -> None:
        self._hangs, self._error = hangs, error
        self.said: list[str] = []

    def transaction(self) -> Producer:
        return self

    async def __aenter__(self) -> None:
        self.said.append("begin")

    async def __aexit__(
        self, kind: type | None, error: Exception | None, trace: TracebackType | None
    ) -> None:
        await self._do("abort" if kind else "commit")

    async def send(self, *arguments: object, **more: object) -> asyncio.Future[object]:
        await self._do("send")
        sent = asyncio.get_running_loop().create_future()
        if self._error is not None:
            sent.set_exception(self._error)
        else:
            sent.set_result(type("Sent", (), {"topic": "clicks", "partition": 0, "offset": 7}))
        return sent

    async def _do(self, what: str) -> None:
        self.said.append(what)
        if what in self._hangs:
            await asyncio.get_running_loop().create_future()


async def commit(producer: Producer) -> object:
    settings = Settings().model_copy(update={"transaction_timeout_s": 0.02})
    topics = ("clicks", "purchases")
    counts = dict.fromkeys(topics, 1)
    async with asyncio.timeout(5):
        return await retry._commit(producer, settings, [EVENT], topics, counts, lambda *_: 0)


async def test_event_and_note_are_committed_together() -> None:
    producer = Producer()
    (note,) = await commit(producer)
    assert (note.position, note.sent) == (Position(0, 1), "clicks 0:7")
    assert producer.said == ["begin", "send", "send", "commit"]


@pytest.mark.parametrize("hangs", [("send",), ("send", "abort")])
async def test_what_hangs_is_given_up_and_aborted_in_time(
    hangs: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "_ABORT_S", 0.02)
    producer = Producer(*hangs)
    with pytest.raises(Fatal, match="sending took over"):
        await commit(producer)
    assert producer.said == ["begin", "send", "abort"]


async def test_a_commit_that_hangs_is_not_aborted_as_it_may_have_come() -> None:
    producer = Producer("commit")
    with pytest.raises(Fatal, match="sending took over"):
        await commit(producer)
    assert producer.said[-1] == "commit"


async def test_what_fails_or_is_broken_off_is_aborted() -> None:
    producer = Producer(error=KafkaError("no"))
    with pytest.raises(Fatal, match="nothing of this portion counts"):
        await commit(producer)
    assert producer.said[-1] == "abort"

    broken_off = Producer("send")
    settings = Settings()
    sending = asyncio.create_task(
        retry._commit(broken_off, settings, [EVENT], ("clicks", "p"), {"clicks": 1}, lambda *_: 0)
    )
    while "send" not in broken_off.said:
        await asyncio.sleep(0)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert broken_off.said[-1] == "abort"
