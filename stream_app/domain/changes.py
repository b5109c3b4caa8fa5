"""What consumers read: tag changes and tag states. See schemas/tags.json and tag-state.json.

Moments are RFC 3339 text (`clock.to_rfc3339`), except `born`, which is the middle of `change_id`.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec
from msgspec import Struct, field

Action = Literal["added", "removed", "updated"]
SourceKind = Literal["rule", "segment", "model", "expiry"]
TagClass = Literal[
    "basic",
    "behaviour",
    "interest",
    "spending",
    "social",
    "credit",
    "lifecycle",
    "segment",
    "prediction",
]
#: True for a boolean tag, a text for one of named values, texts for a list; None: no such tag.
TagValue = bool | str | list[str] | None
Operand = bool | float | str | list[float | str] | None


class Source(Struct, frozen=True, gc=False):
    """What decided: the rule, segment, model or expiry, by name and by revision of its file."""

    kind: SourceKind
    name: str
    revision: str


class Because(Struct, frozen=True, gc=False):
    """A comparison that decided: a feature's value against a threshold; missing values are None."""

    feature: str
    value: Operand
    op: str
    threshold: Operand


class Cause(Struct, frozen=True, gc=False):
    """The last event of the user in the round that made the change."""

    topic: str
    partition: int
    offset: int
    event_id: str


class TagChange(Struct, frozen=True, gc=False):
    """One change of one tag of a user; `version` counts the user's changes from 1.

    `cause` is None where time alone made the change.
    """

    change_id: str
    user_id: str
    tag: str
    class_: TagClass = field(name="class")
    action: Action
    value: TagValue
    previous: TagValue
    confidence: float
    version: int
    occurred_at: str
    emitted_at: str
    valid_until: str | None
    source: Source
    because: list[Because]
    cause: Cause | None


class TagStatus(Struct, frozen=True, gc=False):
    """A tag that a user has: its value since when, and until when if it ends by itself."""

    value: TagValue
    confidence: float
    since: str
    valid_until: str | None


class TagState(Struct, frozen=True, gc=False):
    """All tags of a user after the change `version` of the chain that began at `born`."""

    user_id: str
    born: int
    version: int
    as_of: str
    tags: dict[str, TagStatus]


_ENCODER: Final = msgspec.json.Encoder()
_CHANGE: Final = msgspec.json.Decoder(TagChange)
_STATE: Final = msgspec.json.Decoder(TagState)


def change_id(user_id: str, born: int, version: int) -> str:
    """The same for the same change however often it is computed; `born` is epoch milliseconds.

    >>> change_id("u-1", 1_700_000_000_000, 3)
    'u-1:1700000000000:3'
    """
    return f"{user_id}:{born}:{version}"


def encode(message: TagChange | TagState) -> bytes:
    """JSON in UTF-8; numbers that are not finite become null."""
    return _ENCODER.encode(message)


def decode_change(value: bytes) -> TagChange:
    """Raises msgspec.DecodeError (a ValueError) for anything that is not a tag change."""
    return _CHANGE.decode(value)


def decode_state(value: bytes) -> TagState:
    """Raises msgspec.DecodeError (a ValueError) for anything that is not a tag state."""
    return _STATE.decode(value)
