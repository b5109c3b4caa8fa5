"""What consumers read: tag changes and tag states. See schemas/tags.json and tag-state.json.

Moments are epoch milliseconds here and RFC 3339 text in JSON, except `born`, which is a number in
both: it names the chain of a user's changes, as the middle of `change_id`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, Literal, TypedDict

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from stream_app.domain.because import Because
from stream_app.domain.clock import from_rfc3339, to_rfc3339

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


class Source(Struct, frozen=True, gc=False, omit_defaults=True):
    """What decided: the rule, segment, model or expiry, by name and by revision of its file.

    `label` is a segment's name in words; JSON has none where None.
    """

    kind: SourceKind
    name: str
    revision: str
    label: str | None = None


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
    cls: TagClass = field(name="class")
    action: Action
    value: TagValue
    previous: TagValue
    confidence: float
    version: int
    occurred_at: int
    emitted_at: int
    valid_until: int | None
    source: Source
    because: Sequence[Because]
    cause: Cause | None


class TagStatus(TypedDict):
    """A tag that a user has: its value since when, and until when if it ends by itself."""

    value: TagValue
    confidence: float
    since: int
    valid_until: int | None


class TagState(Struct, frozen=True, gc=False):
    """All tags of a user after the change `version` of the chain that began at `born`."""

    user_id: str
    born: int
    version: int
    as_of: int
    tags: Mapping[str, TagStatus]


_ENCODER: Final = msgspec.json.Encoder()
#: Moments recur: all changes of a round have the same, and tags are set at full seconds.
_AT: Final = lru_cache(maxsize=8_192)(to_rfc3339)
_OF_CHANGE: Final = ("occurred_at", "emitted_at", "valid_until")
_OF_STATUS: Final = ("since", "valid_until")


def change_id(user_id: str, born: int, version: int) -> str:
    """The same for the same change however often it is computed; `born` is epoch milliseconds.

    >>> change_id("u-1", 1_700_000_000_000, 3)
    'u-1:1700000000000:3'
    """
    return f"{user_id}:{born}:{version}"


def encode(message: TagChange | TagState) -> bytes:
    """JSON in UTF-8; numbers that are not finite become null."""
    if isinstance(message, TagChange):
        return _ENCODER.encode(
            replace(
                message,
                occurred_at=_AT(message.occurred_at),
                emitted_at=_AT(message.emitted_at),
                valid_until=_text(message.valid_until),
            )
        )
    tags = {
        name: {
            "value": status["value"],
            "confidence": status["confidence"],
            "since": _AT(status["since"]),
            "valid_until": _text(status["valid_until"]),
        }
        for name, status in message.tags.items()
    }
    return _ENCODER.encode(replace(message, as_of=_AT(message.as_of), tags=tags))


def encode_state(user_id: str, born: int, version: int, as_of: int, tags: str) -> bytes:
    """What `encode` makes of a TagState whose `tags` are an object in JSON already."""
    user = _ENCODER.encode(user_id).decode()
    return (
        f'{{"user_id":{user},"born":{born},"version":{version},"as_of":"{_AT(as_of)}","tags":{tags}}}'
    ).encode()


def decode_change(value: bytes) -> TagChange:
    """The inverse of `encode`; ValueError for anything that is not a tag change."""
    return msgspec.convert(_with_numbers(_object(value), _OF_CHANGE), TagChange)


def decode_state(value: bytes) -> TagState:
    """The inverse of `encode`; ValueError for anything that is not a tag state."""
    state = _with_numbers(_object(value), ("as_of",))
    tags = state.get("tags")
    if isinstance(tags, dict):
        state["tags"] = {
            name: _with_numbers(status, _OF_STATUS) if isinstance(status, dict) else status
            for name, status in tags.items()
        }
    return msgspec.convert(state, TagState)


def _text(moment: int | None) -> str | None:
    return None if moment is None else _AT(moment)


def _object(value: bytes) -> dict[str, Any]:
    return msgspec.json.decode(value, type=dict[str, Any])


def _with_numbers(fields: dict[str, Any], moments: tuple[str, ...]) -> dict[str, Any]:
    """`fields` with RFC 3339 text under the names `moments` turned into epoch milliseconds."""
    found = {name: fields[name] for name in moments if fields.get(name) is not None}
    return fields | {name: from_rfc3339(text) for name, text in found.items()}
