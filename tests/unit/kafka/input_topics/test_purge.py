"""What has arrived is deleted once; a failure is told, counted, tried again, and ends nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest
from aiokafka.errors import TopicAuthorizationFailedError
from faust.types import TP
from prometheus_client import CollectorRegistry

from stream_app.kafka.input_topics.purge import Purge
from stream_app.metrics import Metrics
from stream_app.settings import Settings

ROUTED = "stream_app-routed"


class Among:
    """A purge among fakes: where tasks are, and what was deleted."""

    def __init__(self, **settings: object) -> None:
        self.offsets = {TP("clicks", 0): 7, TP(ROUTED, 0): 0, TP(ROUTED, 2): 5}
        self.deleted: list[Mapping[TP, int]] = []
        self.error: Exception | None = None
        self.registry = CollectorRegistry()
        made = Settings(**settings)
        self.purge = Purge(made, Metrics(self.registry), lambda: self.offsets, self.delete)

    async def delete(self, ends: Mapping[TP, int]) -> None:
        if self.error:
            raise self.error
        self.deleted.append(dict(ends))

    @property
    def failures(self) -> float | None:
        return self.registry.get_sample_value("stream_app_purge_failures_total")


async def test_what_was_committed_since_the_last_time_is_deleted_of_routed_events_only() -> None:
    among = Among()
    for _ in range(2):
        await among.purge.once()
    among.offsets[TP(ROUTED, 0)] = 3
    await among.purge.once()
    del among.offsets[TP(ROUTED, 2)]
    await among.purge.once()
    assert among.deleted == [{TP(ROUTED, 2): 5}, {TP(ROUTED, 0): 3}]


async def test_a_failure_is_told_once_and_counted_and_tried_again(caplog) -> None:
    among = Among()
    among.error = TopicAuthorizationFailedError(ROUTED)
    for _ in range(3):
        await among.purge.once()
    assert among.failures == 3
    assert [f"topic {ROUTED}: `stream-app acls`" in line for line in caplog.messages] == [True]
    among.error = None
    await among.purge.once()
    assert among.deleted == [{TP(ROUTED, 2): 5}]
    # Another time it is news again.
    among.error, among.offsets[TP(ROUTED, 2)] = ValueError("a\nb"), 6
    await among.purge.once()
    assert len(caplog.messages) == 2


async def test_brokers_that_hang_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    among = Among(request_timeout_s=0.05)

    async def hang(ends: object) -> None:
        await asyncio.get_running_loop().create_future()

    monkeypatch.setattr(among.purge, "_delete", hang)
    async with asyncio.timeout(5):
        await among.purge.once()
    assert among.failures == 1


async def test_zero_is_never_and_anything_else_goes_on_until_cancelled() -> None:
    await Among(routed_purge_s=0).purge.run()
    among = Among(routed_purge_s=0.001)
    running = asyncio.create_task(among.purge.run())
    async with asyncio.timeout(5):
        while not among.deleted:
            await asyncio.sleep(0)
    assert not running.done()
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()
