"""Closing a client ends in time and cancels nobody but whom it should."""

from __future__ import annotations

import asyncio

import pytest

from stream_app.kafka.client.closing import close_within, leave_within


async def leaky() -> None:
    """Stops as aiokafka's clients do: one of their tasks was cancelled."""
    task = asyncio.create_task(asyncio.sleep(60))
    await asyncio.sleep(0)
    task.cancel()
    await task


async def never() -> None:
    await asyncio.get_running_loop().create_future()


async def test_a_cancellation_inside_the_client_is_its_own_matter() -> None:
    await close_within(leaky(), 1.0)


async def test_a_cancellation_of_the_caller_is_passed_on() -> None:
    closing = asyncio.create_task(close_within(never(), 60.0))
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing


async def test_it_is_bounded() -> None:
    with pytest.raises(TimeoutError):
        await close_within(never(), 0.01)


async def test_leaving_raises_nothing_that_would_hide_what_went_wrong() -> None:
    async def wrong() -> None:
        try:
            raise ValueError("wrong")
        finally:
            await leave_within(never(), 0.01)

    with pytest.raises(ValueError, match="wrong"):
        await wrong()
