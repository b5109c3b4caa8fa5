"""The changelog of one partition: rows by user, and beside them its offsets, layouts and strings.

Keys that begin with a zero byte are the engine's own; user ids cannot contain one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream_app.domain.layout import FINGERPRINT_FIELD, Layout
from stream_app.engine.catalogue import Program
from stream_app.engine.cold.profiles import ColdProfiles
from stream_app.engine.feed import Feed
from stream_app.engine.outputs import KeyValue
from stream_app.engine.profiles import Profiles
from stream_app.engine.versions import FORMAT, OLDEST, check_format, check_standing
from stream_app.features import migrate

META: Final = b"\0meta"
LAYOUT: Final = b"\0layout:"
STRING: Final = b"\0string:"
#: Written once by each local store that is begun, right after a `\0meta`: see `cold.checkpoint`.
STORE: Final = b"\0store"
_FINGERPRINT_BYTES: Final = 8
#: Rows of older layouts carried over at a time.
_SLICE: Final = 1_000


class ChangelogError(Exception):
    """A changelog that cannot be trusted; says what is wrong and what can be done."""


class Meta(msgspec.Struct, frozen=True):
    """What a transaction says about itself: the truth about offsets.

    `next` is the next offset to read by input topic, `time` partition time in ms, `layout` the
    fingerprint of the rows it wrote, `strings` the size of the dictionary, `revision` the catalogue
    under which all rows have been decided, `models` the revision of the models by which (empty: not
    all by the same, or by none). `seen` and `pause` are the feed's (see `Feed`). `format`, `busy`
    and `partitions`: see `versions`. `was` are the numbers of partitions that there were before.
    `users` are how many profiles there are, and `tags` how many of them have each tag; None where
    whoever wrote it does not know.
    """

    next: dict[str, int]
    time: int
    layout: str
    strings: int
    revision: str = ""
    seen: int = 0
    pause: int = 0
    models: str = ""
    format: int = OLDEST
    partitions: int = 0
    busy: str = ""
    was: tuple[int, ...] = ()
    users: int | None = None
    tags: dict[str, int] | None = None


def encode_meta(meta: Meta) -> KeyValue:
    """Return the changelog record of `meta`, in the format of today."""
    return META, msgspec.json.encode(msgspec.structs.replace(meta, format=FORMAT))


def encode_layout(layout: Layout) -> KeyValue:
    """Return the record that describes a layout, written before the first row that uses it."""
    return LAYOUT + _hex(layout.fingerprint), msgspec.json.encode(layout.describe())


def encode_strings(added: Sequence[tuple[int, str]]) -> list[KeyValue]:
    """Return the records of dictionary entries."""
    return [(STRING + b"%d" % code, text.encode()) for code, text in added]


def _hex(fingerprint: int) -> bytes:
    return b"%016x" % fingerprint


class Loader:
    """Builds profiles from changelog records in log order.

    Rows of the program's own layout go straight into place, batch by batch; rows of older layouts
    are kept raw until the end, since their description may come after them once compacted.
    """

    def __init__(
        self, program: Program, number: int, partitions: int, profiles: Profiles | None = None
    ) -> None:
        """Begin with no profiles, or with `profiles`, which are as they were at some record."""
        # Not `or`: profiles of nobody are false.
        self.profiles = Profiles(program, number, partitions) if profiles is None else profiles
        self.meta: Meta | None = None
        self._own = program.layout.fingerprint.to_bytes(_FINGERPRINT_BYTES, "little")
        self._descriptions: dict[bytes, bytes] = (
            profiles.shelved.descriptions if isinstance(profiles, ColdProfiles) else {}
        )
        self.layouts: set[str] = {key.decode() for key in self._descriptions}
        self._foreign: dict[str, bytes] = {}
        #: Numbers of those that are kept raw by the profiles themselves.
        self._shelved: list[NDArray[np.intp]] = []

    def add(self, records: Sequence[tuple[bytes, bytes | None]]) -> None:
        """Take records (key, value); of several with one key the last counts."""
        # In order of first appearance; what a later record overwrites is not looked at.
        rows = {key: value for key, value in records if key[:1] != b"\0"}
        for key, value in records:
            if key[:1] == b"\0":
                self._add_internal(key, value)
        left = {key: value for key, value in rows.items() if value is not None}
        if len(left) < len(rows):
            self._forget([key.decode() for key in rows.keys() - left.keys()])
        if left:
            self._add_rows([key.decode() for key in left], list(left.values()))

    def _forget(self, users: list[str]) -> None:
        for user in users:
            self._foreign.pop(user, None)
        slots = self.profiles.find(users)
        if (slots >= 0).any():
            self.profiles.forget(slots[slots >= 0])

    def _add_rows(self, users: list[str], values: Sequence[bytes]) -> None:
        layout = self.profiles.program.layout
        if set(map(len, values)) == {layout.size}:
            block = b"".join(values)
            written = np.frombuffer(block, dtype=layout.dtype)[FINGERPRINT_FIELD]
            if (written == np.uint64(layout.fingerprint)).all():
                self._place(users, block)
                return
        if isinstance(self.profiles, ColdProfiles):
            self._shelve(self.profiles, dict(zip(users, values, strict=True)))
            return
        # One by one: an older layout is among them.
        for user, value in zip(users, values, strict=True):
            if self._is_own(value):
                self._place([user], value)
            else:
                self._foreign[user] = value

    def _is_own(self, value: bytes) -> bool:
        size = self.profiles.program.layout.size
        return value[:_FINGERPRINT_BYTES] == self._own and len(value) == size

    def _shelve(self, profiles: ColdProfiles, rows: Mapping[str, bytes]) -> None:
        own = [user for user, value in rows.items() if self._is_own(value)]
        if own:
            self._place(own, b"".join(rows[user] for user in own))
        foreign = {user: value for user, value in rows.items() if not self._is_own(value)}
        self._shelved.append(profiles.put_raw(foreign))

    def _add_internal(self, key: bytes, value: bytes | None) -> None:
        if value is None:
            return
        if key == META:
            self.meta = msgspec.json.decode(value, type=Meta)
            check_format(self.meta.format, self.profiles.number)
        elif key.startswith(LAYOUT):
            self._descriptions[key[len(LAYOUT) :]] = value
            self.layouts.add(key[len(LAYOUT) :].decode())
        elif key.startswith(STRING):
            self.profiles.dictionary.load(int(key[len(STRING) :]), value.decode())

    def _place(self, keys: list[str], block: bytes) -> None:
        profiles = self.profiles
        if self._foreign:
            # A row rewritten under the current layout supersedes the older one.
            for key in keys:
                self._foreign.pop(key, None)
        profiles.put(keys, np.frombuffer(block, dtype=profiles.program.layout.dtype))

    def finish(self) -> Profiles:
        """Return the profiles after the last record; raises what `finishing` does."""
        for _ in self.finishing():
            pass
        return self.profiles

    def finishing(self) -> Iterator[int]:
        """Bring the profiles to what they are after the last record.

        Yields the rows just carried over from older layouts, to let others work meanwhile.

        Raises ChangelogError where rows exist without meta, or rows name an unknown layout, and
        Unready where a worker must not go on (see `versions`).
        """
        yield from self._place_foreign()
        self._trust()

    def _trust(self) -> None:
        profiles = self.profiles
        if self.meta is None:
            if len(profiles):
                raise ChangelogError(
                    f"the changelog of partition {profiles.number} holds {len(profiles)} profiles "
                    "but no offsets (\\0meta): it was cut or mixed with another application's"
                )
            return
        check_standing(self.meta.busy, self.meta.partitions, profiles.number, profiles.partitions)
        profiles.time = self.meta.time
        profiles.feed = Feed(self.meta.seen, self.meta.pause)
        if len(profiles.dictionary) < self.meta.strings:
            raise ChangelogError(
                f"the changelog of partition {profiles.number} names {self.meta.strings} strings "
                f"but holds {len(profiles.dictionary)}: records are missing"
            )
        if self.meta.revision != profiles.program.catalogue.revision:
            profiles.decide_anew()

    def _place_foreign(self) -> Iterator[int]:
        foreign, self._foreign = self._foreign, {}
        users = list(foreign)
        for first in range(0, len(users), _SLICE):
            some = users[first : first + _SLICE]
            self._convert({user: foreign.pop(user) for user in some})
            yield len(some)
        if self._shelved and isinstance(self.profiles, ColdProfiles):
            for found, rows in self.profiles.described(np.concatenate(self._shelved)):
                self._convert(dict(zip(found, rows, strict=True)))
                yield len(found)
            self._shelved = []

    def _convert(self, foreign: Mapping[str, bytes]) -> None:
        for fingerprint, users in _by_layout(foreign).items():
            description = self._descriptions.get(fingerprint)
            if description is None:
                raise ChangelogError(
                    f"profiles of partition {self.profiles.number} have the layout "
                    f"{fingerprint.decode()}, whose description is missing"
                )
            old = Layout.from_description(msgspec.json.decode(description))
            block = b"".join(foreign[user] for user in users)
            rows = np.frombuffer(block, dtype=old.dtype)
            self._place(users, migrate(rows, old, self.profiles.program.layout).tobytes())


def _by_layout(foreign: Mapping[str, bytes]) -> dict[bytes, list[str]]:
    grouped: dict[bytes, list[str]] = {}
    for user, value in foreign.items():
        fingerprint = int.from_bytes(value[:_FINGERPRINT_BYTES], "little")
        grouped.setdefault(_hex(fingerprint), []).append(user)
    return grouped
