"""What becomes of refused events: a record with its reason, and a budget for how many."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Protocol

from stream_app.domain.errors import Rejected
from stream_app.kafka.client.writer import Outgoing
from stream_app.kafka.errors import Refusal


class Source(Protocol):
    """A source record: aiokafka's ConsumerRecord has this shape."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None


def dead_letter(record: Source, rejected: Rejected, max_bytes: int) -> Outgoing:
    """Return the dead letter of a refused record: its bytes, and in headers why and from where.

    Above `max_bytes` only that much of the value is kept, with its length and SHA-256.
    """
    value = record.value
    headers = [
        ("reason", rejected.reason.value.encode()),
        ("detail", rejected.detail.encode(errors="replace")),
        ("topic", record.topic.encode()),
        ("partition", b"%d" % record.partition),
        ("offset", b"%d" % record.offset),
    ]
    if value is not None and len(value) > max_bytes:
        headers.append(("length", b"%d" % len(value)))
        headers.append(("sha256", hashlib.sha256(value).hexdigest().encode()))
        value = value[:max_bytes]
    # A key of any size is allowed in Kafka; a dead letter must always be deliverable.
    key = (record.key or b"")[:max_bytes]
    return Outgoing(key, b"" if value is None else value, headers)


class DeadLetterBudget:
    """Stops the process rather than draining a topic into the dead letters.

    Refused events are counted over runs of `run` events: when more than `share` of a full run was
    refused, something is wrong with the producers or with the catalogue, not with single events.
    """

    def __init__(self, share: float, run: int) -> None:
        self._share = share
        self._run = run
        self._events = 0
        self._refused = 0

    @property
    def ratio(self) -> float:
        """Share of refused events in the current run."""
        return self._refused / self._events if self._events else 0.0

    def spend(self, events: int, rejected: Sequence[Rejected]) -> None:
        """Count a round of `events`, refused ones included; raise Refusal over budget."""
        self._events += events
        self._refused += len(rejected)
        if self._events < self._run:
            return
        if self._refused > self._share * self._events:
            last = rejected[-1] if rejected else None
            example = f"; the last: {last.reason.value}: {last.detail}" if last else ""
            raise Refusal(
                f"{self._refused} of the last {self._events} events were refused, the budget is "
                f"{self._share:.0%} of {self._run}{example}. Nothing of this round was committed. "
                "Mend the producers, or raise STREAM_APP_DEAD_LETTER_SHARE"
            )
        self._events = self._refused = 0
