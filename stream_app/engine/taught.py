"""A replay that learns: models come out between two steps and decide from the next one on.

Where in the stream a model comes out is told by the day end that every partition has reached: the
same events and the same models at the same day ends give the same tag changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple, Protocol

import msgspec

from stream_app.engine.models import Models
from stream_app.engine.replay import Replay
from stream_app.engine.step import Step
from stream_app.learning.declaration import Learning
from stream_app.learning.snapshot import Model, SnapshotError, decode, encode
from stream_app.learning.training import DayEnd, Record
from stream_app.learning.training import decode as decode_record


class RecordedError(Exception):
    """A file of models that cannot be used; the message says where and why."""


class CameOut(NamedTuple):
    """A model, and the day end (ms) that all partitions had reached when it came out."""

    at: int
    model: Model


class Source(Protocol):
    """Where models come from: of a record of `training`, once `at` (ms) is everybody's day end."""

    def take(self, record: Record, at: int) -> list[Model]: ...


class Learned:
    """Models as a trainer learns them from the records."""

    def __init__(self, take: Callable[[Record], list[Model]]) -> None:
        self._take = take

    def take(self, record: Record, at: int) -> list[Model]:
        """Return what the trainer publishes."""
        return self._take(record)


class Recorded:
    """Models as they came out before, see `line_of`."""

    def __init__(self, models: Iterable[CameOut]) -> None:
        self._waiting = list(models)

    def take(self, record: Record, at: int) -> list[Model]:
        """Return what came out up to `at`."""
        if not isinstance(record, DayEnd):
            return []
        due = [one.model for one in self._waiting if one.at <= at]
        self._waiting = [one for one in self._waiting if one.at > at]
        return due


class Taught:
    """Brings models to a replay; `after` must be called after each of its steps.

    `note` sees every record of `training`, in order.
    """

    def __init__(
        self,
        replay: Replay,
        learning: Learning,
        source: Source,
        note: Callable[[Record], None] = lambda record: None,
    ) -> None:
        self._replay = replay
        self._learning = learning
        self._source = source
        self._note = note
        self._ended: dict[int, int] = {}
        self._current: dict[str, Model] = {}
        self._used: Models | None = None

    def after(self, step: Step) -> list[CameOut]:
        """Take what a step has sampled; return the models that this brings, which are in use."""
        found: list[CameOut] = []
        for _, value in step.training:
            record = decode_record(bytes(value))
            self._note(record)
            at = self._everywhere(record)
            found += [CameOut(at, model) for model in self._source.take(record, at)]
        if found:
            self._use([one.model for one in found])
        return found

    def _everywhere(self, record: Record) -> int:
        if isinstance(record, DayEnd):
            self._ended[record.partition] = record.at
        everybody = len(self._ended) == len(self._replay.parts)
        return min(self._ended.values()) if everybody else 0

    def _use(self, models: Iterable[Model]) -> None:
        # Held versions stay out of use, as in a worker.
        self._current |= {model.task: model for model in models if model.state != "held"}
        chosen = Models.of(self._learning, self._current)
        if self._used is None or _decisive(chosen) != _decisive(self._used):
            self._used = chosen
            self._replay.use_models(chosen)


def _decisive(models: Models) -> tuple[Mapping[str, Any], ...]:
    """What rows are decided by: other quantiles that no rule uses change nothing."""
    return models.versions, models.paused, models.quantiles


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    at: int
    model: msgspec.Raw


_LINES: Final = msgspec.json.Decoder(_Line)


def line_of(one: CameOut) -> bytes:
    """A model as a line of NDJSON, without its end."""
    return b'{"at":%d,"model":%s}' % (one.at, encode(one.model))


def read_models(lines: Iterable[bytes], name: str) -> Iterator[CameOut]:
    """Models from lines; RecordedError names the file `name` and the line."""
    for number, line in enumerate(lines, start=1):
        try:
            read = _LINES.decode(line)
            yield CameOut(read.at, decode(bytes(read.model)))
        except (msgspec.DecodeError, SnapshotError) as error:
            raise RecordedError(f"{name}:{number}: {error}") from None
