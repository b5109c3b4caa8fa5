"""Lines checked before they are sent: events with topic, key and time, or a reason for refusal."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream_app.data.lines import Chunk
from stream_app.domain.decode import DecodeOptions, Decoder
from stream_app.domain.errors import Reason, Rejected
from stream_app.domain.events import topic_of
from stream_app.domain.money import is_currency

#: A dead letter in a file keeps so many bytes of a line.
KEPT_BYTES: Final = 65_536


class _Record(NamedTuple):
    value: bytes
    timestamp: int


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that is no event; `str()` is `FILE:LINE: reason: detail`."""

    file: str
    number: int
    reason: Reason
    detail: str
    value: bytes

    def __str__(self) -> str:
        return f"{self.file}:{self.number}: {self.reason}: {self.detail}"

    def dead_letter(self) -> bytes:
        """One JSON object without line end: where, why, and the original (in text if it is)."""
        kept = self.value[:KEPT_BYTES]
        return msgspec.json.encode(
            {
                "file": self.file,
                "line": self.number,
                "reason": self.reason.value,
                "detail": self.detail,
                "value": kept.decode(errors="backslashreplace"),
            }
        )


@dataclass(frozen=True, slots=True)
class Checked:
    """The events of a chunk in the order of its lines (parallel columns), and its bad lines.

    `topic` is CLICKS or PURCHASES, `at` event time in epoch milliseconds, `line` line numbers.
    """

    topic: list[int]
    user: list[str]
    value: list[bytes]
    at: NDArray[np.int64]
    line: NDArray[np.int64]
    bad: list[BadLine] = field(default_factory=list)
    file: str = ""
    position: int = 0

    def __len__(self) -> int:
        return len(self.value)

    def before(self, line: int) -> Checked:
        """Only the events of lines with a smaller number."""
        n = int(np.searchsorted(self.line, line))
        return replace(
            self,
            topic=self.topic[:n],
            user=self.user[:n],
            value=self.value[:n],
            at=self.at[:n],
            line=self.line[:n],
        )


class Checker:
    """Checks events as the worker will, but takes every currency: its catalogue has the rates.

    An event may be `future_ms` ahead of the present and `retention_ms` behind it; None does not
    judge, which is right where a record gets the time of its event.
    """

    def __init__(
        self, *, max_event_bytes: int, future_ms: int | None, retention_ms: int | None
    ) -> None:
        self._rates: dict[str, Decimal] = {}
        self._options = DecodeOptions(
            max_event_bytes=max_event_bytes,
            future_ms=future_ms,
            retention_ms=retention_ms,
            columns=frozenset(),
        )
        self._decoder = Decoder(self._options)

    def check(self, chunk: Chunk, now: int) -> Checked:
        """Check a chunk's lines at `now` (epoch milliseconds); empty ones are passed over."""
        positions: tuple[list[int], list[int]] = ([], [])
        records: tuple[list[_Record], list[_Record]] = ([], [])
        for position, line in enumerate(chunk.lines):
            if line and not line.isspace():
                topic = topic_of(line)
                positions[topic].append(position)
                records[topic].append(_Record(line, now))
        decoded = self._decoder.decode(records)
        if self._new_currencies(records, decoded.rejected):
            self._decoder = Decoder(replace(self._options, rates=self._rates))
            decoded = self._decoder.decode(records)
        bad = [self._bad(chunk, positions[r.topic][r.position], r) for r in decoded.rejected]
        topic_of_event = decoded.batch.topic.tolist()
        events = zip(topic_of_event, decoded.batch.position.tolist(), strict=True)
        source = np.array([positions[topic][at] for topic, at in events], np.int64)
        order = np.argsort(source)
        at_line = order.tolist()
        user = decoded.batch.user
        return Checked(
            topic=[topic_of_event[i] for i in at_line],
            user=[user[i] for i in at_line],
            value=[chunk.lines[position] for position in source[order].tolist()],
            at=decoded.batch.at[order],
            line=source[order] + chunk.first,
            bad=sorted(bad, key=lambda line: line.number),
            file=chunk.file,
            position=chunk.position,
        )

    def _new_currencies(
        self, records: tuple[list[_Record], list[_Record]], rejected: Iterable[Rejected]
    ) -> bool:
        """Declare the currencies for which events were refused; False if there are none."""
        known = len(self._rates)
        for refused in rejected:
            if refused.reason is Reason.UNDECLARED_CURRENCY:
                value = records[refused.topic][refused.position].value
                currency = msgspec.json.decode(value).get("currency")
                if is_currency(currency):
                    self._rates[currency] = Decimal(1)
        return len(self._rates) > known

    @staticmethod
    def _bad(chunk: Chunk, position: int, refused: Rejected) -> BadLine:
        line = chunk.lines[position]
        return BadLine(chunk.file, chunk.first + position, refused.reason, refused.detail, line)
