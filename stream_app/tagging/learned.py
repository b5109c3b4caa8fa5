"""Learned tags: what a model says of each row, turned into changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.changes import SourceKind, TagValue
from stream_app.tagging.codes import (
    ABSENT,
    STEPS,
    TRUE,
    segment_id,
    value_code,
)
from stream_app.tagging.decision import NEVER, Decision, Reasons, aged, decision
from stream_app.tagging.declarations import Learned, TagDeclaration
from stream_app.tagging.rules import Bools, Codes, is_set
from stream_app.tagging.timing import Places, Timing

_EXPIRY: Final[SourceKind] = "expiry"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a model says of m rows: the state that a tag should have, and how probable that is.

    `reasons(rows, old, new)` tells of k chosen rows why they went from one state to another, and is
    asked only about changes; `revision` is the model's. `labels` say values in other words.
    """

    codes: Codes
    confidence: NDArray[np.float64]
    revision: str
    reasons: Callable[[Places, Codes, Codes], Sequence[Reasons]]
    labels: Mapping[str, str] = field(default_factory=dict)


class Judgement(Protocol):
    """What models say of the rows of a round."""

    def wanted(self, tag: str, before: Codes) -> Wanted | None:
        """What a tag should be after the states `before` (m,); None where no model says."""


class LearnedRule:
    """A learned tag; `place` is its place among all declared tags.

    A tag that reaches its end while the model still says the same is renewed: consumers never see
    one that has ended. A change of the probability alone is no change of the tag.
    """

    def __init__(self, tag: TagDeclaration, form: Learned, place: int) -> None:
        self.tag: Final = tag
        self.place: Final = place
        self._form = form
        self._values: dict[int, TagValue] = {TRUE: True}
        self._values |= {value_code(name): name for name in form.bands}

    def value(self, code: int) -> TagValue:
        """The value of a state; None when the tag is not there or has a value of no meaning."""
        if self._form.source == "segment":
            return segment_id(code)
        return self._values.get(code)

    def decide(
        self, states: Codes, steps: Codes, wanted: Wanted | None, timing: Timing
    ) -> Iterator[Decision]:
        """Update states and confidences (m,) and yield the changes by row."""
        over = self._over(states, timing)
        codes = np.where(over, np.uint16(ABSENT), states) if wanted is None else wanted.codes
        rows = self._free((over | (codes != states)).nonzero()[0], timing)
        ages = timing.now - timing.ends(rows, self.place, 0)
        sure = self._steps(codes, wanted)
        old, new = states[rows], codes[rows]
        states[rows], steps[rows] = new, sure[rows]
        timing.stamp(rows, self.place)
        self._look_again(states, timing)
        if wanted is None:
            because: Sequence[Reasons] = [aged(age, self.tag.expires_ms) for age in ages.tolist()]
            kind, revision = _EXPIRY, ""
        else:
            because = wanted.reasons(rows, old, new)
            kind, revision = self._form.source, wanted.revision
        cells = (rows.tolist(), old.tolist(), new.tolist(), sure[rows].tolist(), because)
        for row, before, after, step, why in zip(*cells, strict=True):
            previous, value = self.value(before), self.value(after)
            label = wanted.labels.get(value) if wanted and isinstance(value, str) else None
            if previous is not None or value is not None:
                yield decision(
                    self.tag, self.place, row, value, previous, kind, why, timing.now,
                    step / STEPS, revision, label,
                )  # fmt: skip

    def _steps(self, codes: Codes, wanted: Wanted | None) -> Codes:
        """The confidences (m,) as rows keep them; what only time says is certain."""
        if wanted is None:
            return np.full(len(codes), STEPS, dtype=np.uint16)
        steps: Codes = np.round(wanted.confidence * STEPS).astype(np.uint16)
        return steps

    def _over(self, states: Codes, timing: Timing) -> Bools:
        """Which tags (m,) have reached their end."""
        if not self.tag.expires_ms:
            return np.zeros(len(states), dtype=np.bool_)
        return is_set(states) & (self._ends(timing) <= timing.now)

    def _free(self, rows: Places, timing: Timing) -> Places:
        """Those of `rows` that no hold keeps as they are; a hold is shorter than what it holds."""
        if not self.tag.hold_ms:
            return rows
        free: Places = rows[timing.free(rows, self.place, self.tag.hold_ms)]
        return free

    def _look_again(self, states: Codes, timing: Timing) -> None:
        if self.tag.expires_ms:
            timing.look_again(np.where(is_set(states), self._ends(timing), NEVER)[None])

    def _ends(self, timing: Timing) -> NDArray[np.int64]:
        return timing.ends(slice(None), self.place, self.tag.expires_ms)
