"""Which versions the topic `models` holds, and what has to be written for one that was learned."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final, Literal, NamedTuple

from msgspec.structs import replace

from stream_app.kafka.model_registry.pins import pin_key, pinned
from stream_app.learning.snapshot import Model, SnapshotError, current_key, decode, encode, key

#: So many versions of a task are kept; older ones are deleted, but for one that is pinned.
KEPT: Final = 10

#: `new`: beyond all that is there; `same`: there, byte by byte, or there because it was released;
#: `released`: there as one that is held; `other`: there with other content; `retired`: deleted.
Verdict = Literal["new", "same", "released", "other", "retired"]


class Written(NamedTuple):
    """A record for the topic; without a value it deletes its key."""

    key: bytes
    value: bytes | None


class Shelf:
    """The topic's versions by task. `found` are its records by key."""

    def __init__(self, found: Mapping[bytes, bytes]) -> None:
        self._versions: dict[str, dict[int, bytes]] = defaultdict(dict)
        self._current: dict[str, bytes] = {}
        self._pins: dict[str, int] = {}
        self.put(Written(name, value) for name, value in found.items())

    def put(self, records: Iterable[Written]) -> None:
        """Take over what has been committed."""
        for name, value in records:
            task, _, number = name.decode(errors="replace").rpartition(":")
            if name == current_key(task):
                self._current[task] = value or b""
            elif name == pin_key(task):
                self._put_pin(task, pinned(value))
            if not number.isdecimal():
                continue
            if value is None:
                self._versions[task].pop(int(number), None)
            else:
                self._versions[task][int(number)] = value

    def _put_pin(self, task: str, version: int | None) -> None:
        if version is None:
            self._pins.pop(task, None)
        else:
            self._pins[task] = version

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
            for version, value in there.items()
            if value == self._current.get(task)
        }

    @property
    def pins(self) -> Mapping[str, int]:
        """The pinned version of each task that has one."""
        return self._pins

    @property
    def models(self) -> list[Model]:
        """All versions that can be read, by task, the oldest first."""
        found = []
        for _, there in sorted(self._versions.items()):
            for _, value in sorted(there.items()):
                try:
                    found.append(decode(value))
                except SnapshotError:
                    # Whoever uses it counts and logs that.
                    continue
        return found

    def judge(self, model: Model, value: bytes) -> Verdict:
        """How a version that was learned, whose record is `value`, compares with what is there."""
        task, version = model.task, model.version
        there = self._versions.get(task, {}).get(version)
        if there is None:
            return "new" if version > self.newest.get(task, 0) else "retired"
        if there == value:
            return "same"
        if model.state == "held" and there == encode(replace(model, state="live")):
            return "same"
        if model.state == "live" and there == encode(replace(model, state="held")):
            return "released"
        return "other"

    def records(
        self, task: str, version: int, value: bytes, *, held: bool = False, released: bool = False
    ) -> list[Written]:
        """What publishes a version that is not the `same`; put it here once it is committed.

        The newest becomes the one in use, or one that was released if it is newer than that;
        unless it is held, or another is pinned. Versions that it pushes out are deleted.
        """
        written = [Written(key(task, version), value)]
        newest = version >= self.newest.get(task, 0)
        later = newest or (released and version > self.in_use.get(task, 0))
        if later and not held and task not in self._pins:
            written.append(Written(current_key(task), value))
        if newest:
            kept = sorted({version, *self._versions.get(task, {})} - {self._pins.get(task)})
            written += [Written(key(task, old), None) for old in kept[:-KEPT]]
        return written

    def repairs(self, task: str) -> list[Written]:
        """What puts the pinned version into use; without a pin, the newest that is not held."""
        there = self._versions.get(task, {})
        if task in self._pins:
            value = there.get(self._pins[task])
        else:
            value = next((there[v] for v in sorted(there, reverse=True) if _usable(there[v])), None)
        if value is None or value == self._current.get(task):
            return []
        return [Written(current_key(task), value)]

    def back_to(self, task: str, version: int, in_use: bytes | None) -> list[Written]:
        """What deletes the versions beyond, and puts `in_use` into use if that is not so already.

        Without anything to put into use, what is in use stays so, as does a pinned version.
        """
        there = self._versions.get(task, {})
        beyond = [newer for newer in there if newer > version and newer != self._pins.get(task)]
        gone = [Written(key(task, newer), None) for newer in sorted(beyond)]
        if in_use is None or in_use == self._current.get(task) or task in self._pins:
            return gone
        return [Written(current_key(task), in_use), *gone]


def _usable(value: bytes) -> bool:
    try:
        return decode(value).state != "held"
    except SnapshotError:
        return False
