"""Runs a worker in this process until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
from typing import Final

from stream_app.app import create_app
from stream_app.kafka.client.rights import failed
from stream_app.kafka.ending import end_process, on_stop, stay_ended
from stream_app.kafka.errors import Fatal
from stream_app.settings import Settings

#: Beyond the longest drain: disconnecting takes less, unless the brokers are away.
_REST_S: Final = 1.0
#: Net new containers before the collector looks at the youngest.
_COLLECT_AFTER: Final = 100_000
#: Of malloc.h: (parameter, value). Blocks of megabytes come from one heap, whose end is given back
#: when this much of it is free.
_MALLOC: Final = {
    "M_MMAP_THRESHOLD": (-3, 32 * 1_048_576),
    "M_TRIM_THRESHOLD": (-1, 16 * 1_048_576),
    "M_ARENA_MAX": (-8, 1),
}


async def run_worker(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT; then commit what is under way and leave the group.

    Does not return where the application fails: the process ends, see `kafka.ending`.
    """
    app = create_app(settings)
    stop = asyncio.Event()
    on_stop(stop.set)
    _spare_the_collector()
    _keep_pages()
    app.finalize()
    starting = asyncio.create_task(app.start())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
    if not stop.is_set():
        _end_on_failure(starting)
        ended = asyncio.create_task(app.wait_until_stopped())
        await asyncio.wait((ended, stopping), return_when=asyncio.FIRST_COMPLETED)
        if not stop.is_set():
            end_process(failed("Faust stopped", app.crash_reason or RuntimeError("no reason")))
    stay_ended()
    try:
        await asyncio.wait_for(app.stop(), settings.drain_timeout_s + _REST_S)
    except TimeoutError:
        end_process(Fatal("the worker did not stop in time"))
    except Fatal as error:
        end_process(error)


def _spare_the_collector() -> None:
    # Profiles are a million objects that never form a cycle, and every round makes ten thousand
    # that are gone after it: collecting as often as Python does by default costs 15 % of the time.
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, 20, 50)


def _keep_pages() -> None:
    # Rounds make blocks of megabytes and drop them. Were each mapped and given back at once, the
    # system would clear its pages anew for the next one: that was half the time of a restore, and
    # a fifth of a round's. Left alone, glibc keeps more than is used, in a heap for each thread.
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        for parameter, value in _MALLOC.values():
            libc.mallopt(parameter, value)


def _end_on_failure(starting: asyncio.Task[None]) -> None:
    error = starting.exception()
    if error is not None:
        end_process(error)
