"""A decided change of one tag of one row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream_app.domain.because import Because
from stream_app.domain.changes import Action, SourceKind, TagClass, TagValue
from stream_app.tagging.codes import valid_until
from stream_app.tagging.declarations import TagDeclaration

#: A moment that does not come.
NEVER: Final = 2**63 - 1
#: Rules are certain of what they say; only models are not.
CERTAIN: Final = 1.0
#: What speaks for a change: comparisons of rules, or with what they add to a model's score.
Reasons = Sequence[Because]
_HOUR_MS: Final = 3_600_000


class Decision(msgspec.Struct, frozen=True, gc=False):
    """What changed and why; `valid_until` is epoch milliseconds, `place` the tag's declared one.

    `value` is True for a flag, a name for a valued tag, names for a list tag, and None when the
    tag is not there any more. `label` is a segment's name in words.
    """

    row: int
    place: int
    tag: str
    cls: TagClass
    action: Action
    value: TagValue
    previous: TagValue
    confidence: float
    valid_until: int | None
    source_kind: SourceKind
    because: Reasons
    revision: str
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Decisions:
    """Changes by row and then by declaration; `due` int64 (m,): when a tag is to be looked at next.

    `due` is the next end of a hold that puts a change off, or the next expiry, or NEVER.
    """

    due: NDArray[np.int64]
    changes: list[Decision]


def decision(
    tag: TagDeclaration,
    place: int,
    row: int,
    value: TagValue,
    previous: TagValue,
    kind: SourceKind,
    because: Reasons,
    now: int,
    confidence: float = CERTAIN,
    revision: str = "",
    label: str | None = None,
) -> Decision:
    """The change of a tag from `previous` to `value` at `now`; `revision` of a model."""
    until = valid_until(now, tag.expires_ms) if value is not None and tag.expires_ms else None
    if previous is None:
        action: Action = "added"
    else:
        action = "removed" if value is None else "updated"
    return Decision(
        row, place, tag.name, tag.cls, action, value, previous, confidence, until, kind, because,
        revision or tag.revision, label,
    )  # fmt: skip


def aged(age: int, expires: int) -> list[Because]:
    """Why a tag expires: it was set `age` ms ago and lasts for `expires`."""
    return [Because("hours_since_set", age / _HOUR_MS, ">=", expires / _HOUR_MS)]
