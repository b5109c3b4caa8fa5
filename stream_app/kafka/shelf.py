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
        self._current: dict[str, bytes] = {}
        self.put(Written(name, value) for name, value in found.items())

    def put(self, records: Iterable[Written]) -> None:
        """Take over what has been committed."""
        for name, value in records:
            task, _, number = name.decode(errors="replace").rpartition(":")
            if name == current_key(task):
                self._current[task] = _digest(value or b"")
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

    @property
    def in_use(self) -> dict[str, int]:
        """The version of each task that is in use, where that is one of those kept."""
        return {
            task: version
            for task, there in self._versions.items()
            for version, digest in there.items()
            if digest == self._current.get(task)
        }

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
            kept = sorted({version, *self._versions.get(task, {})})
            written += [Written(key(task, old), None) for old in kept[:-KEPT]]
        return written

    def back_to(self, task: str, version: int, in_use: bytes | None) -> list[Written]:
        """What deletes the versions beyond, and puts `in_use` into use if that is not so already.

        Without anything to put into use, what is in use stays so.
        """
        beyond = [newer for newer in self._versions.get(task, {}) if newer > version]
        gone = [Written(key(task, newer), None) for newer in sorted(beyond)]
        if in_use is None or _digest(in_use) == self._current.get(task):
            return gone
        return [Written(current_key(task), in_use), *gone]


def _digest(value: bytes) -> bytes:
    return blake2b(value, digest_size=16).digest()
