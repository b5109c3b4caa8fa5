"""What is sent for a dead letter: its original or what an operator makes of it, checked; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import msgspec

from stream_app.domain.batch import TOPICS
from stream_app.domain.decode import Decoder
from stream_app.domain.events import topic_of
from stream_app.kafka.dead_letter_queue.letters import Letter, LetterError

#: As long as an `event_id` may be.
_LONGEST_ID: Final = 256


class Repaired(NamedTuple):
    """An event that can be sent: `topic` is CLICKS or PURCHASES, `user` its key."""

    letter: Letter
    topic: int
    user: str
    value: bytes


class Unfit(NamedTuple):
    """A dead letter that cannot be sent so, and why."""

    letter: Letter
    why: str


class _Record(NamedTuple):
    value: bytes
    timestamp: int


@dataclass(frozen=True)
class Repair:
    """What an operator changes: other bytes (`edit`), then fields (`set`)."""

    edit: bytes | None = None
    set: Mapping[str, Any] = field(default_factory=dict)


def field_of(text: str) -> tuple[str, Any]:
    """`currency=EUR` or `price=12.5`: what is no JSON is a text. Raises LetterError."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise LetterError(f"{text!r} sets nothing: expected FIELD=VALUE, such as currency=EUR")
    try:
        return name, msgspec.json.decode(value)
    except (msgspec.DecodeError, RecursionError):
        return name, value


def repair(letter: Letter, change: Repair, decoder: Decoder, now: int) -> Repaired | Unfit:
    """The event to send at `now` (epoch ms), or why the worker would refuse it again.

    Bytes that need no change stay as they are. Where there is no usable `event_id`, one is made of
    where the original was read, so that every retry has the same.
    """
    try:
        value = repaired(letter, change)
    except LetterError as error:
        return Unfit(letter, str(error))
    topic = topic_of(value)
    records: list[list[_Record]] = [[] for _ in TOPICS]
    records[topic].append(_Record(value, now))
    decoded = decoder.decode(records)
    if decoded.rejected:
        refused = decoded.rejected[0]
        return Unfit(letter, f"{refused.reason}: {refused.detail}")
    return Repaired(letter, topic, decoded.batch.user[0], value)


def repaired(letter: Letter, change: Repair) -> bytes:
    """The bytes after all changes. Raises LetterError where there is nothing whole to change."""
    value = change.edit
    if value is None:
        if letter.length is not None:
            raise LetterError(
                f"only the first {len(letter.value)} of {letter.length} bytes were kept "
                "(STREAM_APP_DEAD_LETTER_MAX): if the input still has it, read it there "
                f"({letter.topic}, partition {letter.source.partition}, offset "
                f"{letter.source.offset}) and give it with --edit"
            )
        value = letter.value
    value = value.strip() if change.edit is not None else value
    try:
        tree = msgspec.json.decode(value)
    except (msgspec.DecodeError, RecursionError):
        tree = None
    if not isinstance(tree, dict):
        if change.set:
            raise LetterError("no field can be set: the original is not a JSON object; use --edit")
        # The check says what is wrong with it.
        return value
    fields = dict(change.set)
    # One that an operator gives is judged as it is.
    if "event_id" not in fields and not _usable(tree.get("event_id")):
        fields["event_id"] = derived_id(letter)
    return msgspec.json.encode(tree | fields) if fields else value


def derived_id(letter: Letter) -> str:
    """The event id of an original without one: where it was read names it, always the same."""
    source = f"{letter.source.partition}-{letter.source.offset}"
    # A topic's name has at most 249 characters.
    return f"{letter.topic[: _LONGEST_ID - len(source) - 1]}-{source}"


def _usable(event_id: Any) -> bool:
    return isinstance(event_id, str) and 0 < len(event_id) <= _LONGEST_ID
