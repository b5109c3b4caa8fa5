"""Which versions the topic `models` holds, and what has to be written for one that was learned."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Final, Literal, NamedTuple

from stream_app.learning.snapshot import current_key, key

#: So many versions of a task are kept; older ones are deleted.
KEPT: Final = 10

#: `new`: beyond all that is there; `same`: there, byte by byte; `other`: there with other content;
#: `retired`: deleted long ago.
Verdict = Literal["new", "same", "other", "retired"]


class Written(NamedTuple):
    """A record for the topic; without a value it deletes its key."""

    key: bytes
    value: bytes | None


class Shelf:
    """The topic's versions by task, as their digests. `found` are its records by key."""

    def __init__(self, found: Mapping[bytes, bytes]) -> None:
        self._versions: dict[str, dict[int, bytes]] = defaultdict(dict)
        self.put(Written(name, value) for name, value in found.items())

    def put(self, records: Iterable[Written]) -> None:
        """Take over what has been committed."""
        for name, value in records:
            task, _, number = name.decode(errors="replace").rpartition(":")
            if not number.isdecimal():
                continue
            if value is None:
                self._versions[task].pop(int(number), None)
            else:
                self._versions[task][int(number)] = _digest(value)

    @property
    def newest(self) -> dict[str, int]:
        """The newest version of each task that has any."""
        return {task: max(there) for task, there in self._versions.items() if there}

    def judge(self, task: str, version: int, value: bytes) -> Verdict:
        """How a version that was learned compares with what is there."""
        there = self._versions.get(task, {}).get(version)
        if there is not None:
            return "same" if there == _digest(value) else "other"
        return "new" if version > self.newest.get(task, 0) else "retired"

    def records(
        self, task: str, version: int, value: bytes, *, held: bool = False
    ) -> list[Written]:
        """What publishes a version that is `new` or `other`; put it here once it is committed.

        The newest becomes the one in use, unless it is held. Versions that it pushes out are
        deleted.
        """
        written = [Written(key(task, version), value)]
        if version >= self.newest.get(task, 0):
            if not held:
                written.append(Written(current_key(task), value))
            out = [old for old in self._versions.get(task, {}) if old <= version - KEPT]
            written += [Written(key(task, old), None) for old in sorted(out)]
        return written

    def back_to(self, task: str, version: int, value: bytes) -> list[Written]:
        """What puts a version into use and deletes those beyond; nothing if there are none."""
        beyond = [newer for newer in self._versions.get(task, {}) if newer > version]
        if not beyond:
            return []
        gone = [Written(key(task, newer), None) for newer in sorted(beyond)]
        return [Written(key(task, version), value), Written(current_key(task), value), *gone]


def _digest(value: bytes) -> bytes:
    return blake2b(value, digest_size=16).digest()
