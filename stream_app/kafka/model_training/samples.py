"""The users that segments were last sampled from, read from the end of the topic `training`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.clock import DAY
from stream_app.kafka.client.log import Log
from stream_app.kafka.errors import Fatal
from stream_app.learning.sampling import hashes
from stream_app.learning.training import Example, columns_id, decode
from stream_app.settings import Settings

#: So many records are read, at most, and users returned.
RECORDS: Final = 200_000
USERS: Final = 4_000
_DAYS: Final = 7
_AT_ONCE: Final = 2_000


async def newest_samples(
    settings: Settings, columns: Sequence[str], new_log: Callable[[], Log] | None = None
) -> NDArray[np.float64]:
    """The vectors (n, c) of `columns` of users sampled in the newest week, each at his last sample.

    NaN where a value is missing. Other samples than those for segments, and those of other columns,
    are left out; of too many users, some are drawn by a hash. Raises Fatal where nothing can be
    read.
    """
    newest = _Newest(columns)
    log = new_log() if new_log else _new_log(settings)
    timeout_s, loop = settings.request_timeout_s, asyncio.get_running_loop()
    try:
        await log.open()
        end = await log.end()
        log.skip_to(end - RECORDS)
        async with asyncio.timeout(timeout_s) as limit:
            while await log.position() < end:
                entries = await log.take(_AT_ONCE)
                if entries:
                    limit.reschedule(loop.time() + timeout_s)
                for entry in entries:
                    newest.take(entry.value)
    except TimeoutError as error:
        raise Fatal(f"{log.topic}: no record was read for {timeout_s:.0f} s") from error
    finally:
        await log.close()
    return newest.vectors()


class _Newest:
    """Each user's last vector, and its day, of the newest days."""

    def __init__(self, columns: Sequence[str]) -> None:
        self._columns_id, self._width = columns_id(columns), len(columns)
        self._last: dict[str, tuple[int, list[float | None]]] = {}

    def take(self, value: bytes | None) -> None:
        """Take a record, if it is a sample for segments."""
        try:
            record = decode(value or b"")
        except ValueError:
            # The trainer counts and logs them.
            return
        if not isinstance(record, Example) or not record.segment:
            return
        if record.columns_id == self._columns_id and len(record.values) == self._width:
            self._last[record.user_id] = (record.at, record.values)

    def vectors(self) -> NDArray[np.float64]:
        """The vectors (n, c), in the order of the users' hashes."""
        since = max((at for at, _ in self._last.values()), default=0) - _DAYS * DAY
        users = [user for user, (at, _) in self._last.items() if at > since]
        if not users:
            return np.empty((0, self._width))
        chosen = np.argsort(hashes(users), kind="stable")[:USERS].tolist()
        # None is missing, which float64 has as NaN.
        return np.array([self._last[users[i]][1] for i in chosen], dtype=np.float64)


def _new_log(settings: Settings) -> Log:
    return Log(settings.client_options(), settings.training_topic, settings.request_timeout_s)
