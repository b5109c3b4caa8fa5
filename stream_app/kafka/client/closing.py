"""Disconnecting clients: bounded in time, and without the cancellations that they leak."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable


async def close_within(stopping: Awaitable[None], seconds: float) -> None:
    """Await a client's `stop()`; raises TimeoutError after `seconds`.

    While brokers are away, aiokafka cancels its own tasks and then raises what came of that. Only
    a cancellation of the caller is passed on.
    """
    try:
        async with asyncio.timeout(seconds):
            await stopping
    except asyncio.CancelledError:
        caller = asyncio.current_task()
        if caller is None or caller.cancelling():
            raise


async def leave_within(stopping: Awaitable[None], seconds: float) -> None:
    """The same where nothing is lost when it takes longer, and another error may be on its way."""
    with contextlib.suppress(TimeoutError):
        await close_within(stopping, seconds)
