"""How a worker ends: crash-only, with a message, and at once."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Final, NoReturn

from stream_app.kafka.errors import Fatal, Refusal

log = logging.getLogger(__name__)

#: Exit codes (sysexits.h): try again, and do not before something was decided.
EXIT_TRY_AGAIN: Final = 75
EXIT_REFUSED: Final = 78
#: What tells a process to stop.
STOPS: Final = (signal.SIGTERM, signal.SIGINT)
#: Set by `stream-app worker` where the process should start itself again; holds the tries so far.
RESTARTS: Final = "_STREAM_APP_RESTARTS"
_LONGEST_WAIT_S: Final = 30.0
#: After so long without a failure the waits start small again.
_FORGIVEN_S: Final = 300.0
_started = time.monotonic()


def end_process(error: BaseException) -> NoReturn:
    """Say why, and leave without unwinding: no await may be relied on now.

    Whatever was not committed is done again by the next start, which is this process once more
    where `stream-app worker` asked for that.
    """
    known = isinstance(error, Fatal)
    log.critical("Ending: %s", error, exc_info=None if known else error)
    for handler in logging.getLogger().handlers:
        handler.flush()
    sys.stdout.flush()
    sys.stderr.flush()
    if isinstance(error, Refusal):
        os._exit(EXIT_REFUSED)
    if RESTARTS in os.environ:
        _start_again()
    os._exit(EXIT_TRY_AGAIN)


def stay_ended() -> None:
    """Whatever happens from now on, do not start again: the worker was told to stop."""
    os.environ.pop(RESTARTS, None)


def _start_again() -> None:
    lasted = time.monotonic() - _started
    tries = 1 if lasted > _FORGIVEN_S else int(os.environ[RESTARTS]) + 1
    os.environ[RESTARTS] = str(tries)
    # Who tells it to stop from here on is heard by the program that it becomes.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    again = [sys.executable, "-m", "stream_app", *sys.argv[1:]]
    os.execv(sys.executable, again)  # noqa: S606 - this program once more, as it was called


def may_start_again() -> None:
    """Let this process start again after failures; if that is what it did, wait before it goes on.

    Nothing at first, then doubling to 30 s. Told to stop meanwhile, it exits with 0.
    """
    tries = int(os.environ.setdefault(RESTARTS, "0"))
    if tries:
        wait = min(_LONGEST_WAIT_S, 0.5 * 2 ** min(tries - 1, 10))
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
        if signal.sigtimedwait(STOPS, wait):
            sys.exit(0)


def on_stop(heed: Callable[[], object]) -> None:
    """Have a signal to stop call `heed` in the running loop, also one that came while starting."""
    loop = asyncio.get_running_loop()
    for number in STOPS:
        loop.add_signal_handler(number, heed)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
