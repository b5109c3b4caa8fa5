"""A worker runs until it is told to stop; any other end is a failure."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from stream_app import worker
from stream_app.kafka.ending import RESTARTS
from stream_app.kafka.errors import Fatal
from stream_app.settings import Settings


class Ended(Exception):
    """In place of the end of the process."""


class FakeApp:
    """`start` and `stop` do what a test gives them."""

    crash_reason: BaseException | None = None

    def __init__(self) -> None:
        self.finalized = self.stopped = False
        self.starting = asyncio.Event()
        self.crashed = asyncio.Event()
        self.start_error: Exception | None = None
        self.stop_error: Exception | None = None
        self.hang_in: str = ""

    def finalize(self) -> None:
        self.finalized = True

    async def start(self) -> None:
        self.starting.set()
        if self.start_error:
            raise self.start_error
        if self.hang_in == "start":
            await asyncio.Event().wait()

    async def wait_until_stopped(self) -> None:
        await self.crashed.wait()

    async def stop(self) -> None:
        if self.hang_in == "stop":
            await asyncio.Event().wait()
        if self.stop_error:
            raise self.stop_error
        self.stopped = True


@pytest.fixture
async def app(monkeypatch) -> FakeApp:
    made = FakeApp()
    monkeypatch.setattr(worker, "create_app", lambda settings: made)

    def end(error: BaseException) -> None:
        raise Ended(str(error))

    monkeypatch.setattr(worker, "end_process", end)
    monkeypatch.setenv(RESTARTS, "0")
    return made


async def stopped_by(number: int, app: FakeApp, **settings: float) -> None:
    running = asyncio.create_task(worker.run_worker(Settings(**settings)))
    await app.starting.wait()
    os.kill(os.getpid(), number)
    await running


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_stops_it_and_it_stays_stopped(app, number):
    await stopped_by(number, app)
    assert app.finalized
    assert app.stopped
    assert RESTARTS not in os.environ


async def test_a_signal_stops_it_while_it_waits_for_brokers(app):
    app.hang_in = "start"
    await stopped_by(signal.SIGTERM, app)
    assert app.stopped


async def test_a_start_that_fails_ends_it(app):
    app.start_error = ValueError("no topics")
    with pytest.raises(Ended, match="no topics"):
        await worker.run_worker(Settings())


async def test_a_crash_of_faust_ends_it(app):
    app.crash_reason = ValueError("a bug")
    app.crashed.set()
    with pytest.raises(Ended, match="Faust stopped: ValueError"):
        await worker.run_worker(Settings())


async def test_a_stop_that_fails_ends_it(app):
    app.stop_error = Fatal("partition 3 did not drain")
    with pytest.raises(Ended, match="partition 3 did not drain"):
        await stopped_by(signal.SIGTERM, app)


async def test_a_stop_that_hangs_is_ended(app):
    app.hang_in = "stop"
    with pytest.raises(Ended, match="did not stop in time"):
        await stopped_by(signal.SIGTERM, app, drain_timeout_s=0.01)
