"""Flags and valued tags: what they should be by the values alone, and why."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.because import Because
from stream_app.domain.changes import TagValue
from stream_app.domain.expression import Expression, Frame
from stream_app.tagging.codes import ABSENT, EXPIRED, TRUE, value_code
from stream_app.tagging.declarations import Flag, TagDeclaration, Valued

Codes = NDArray[np.uint16]
Bools = NDArray[np.bool_]


def is_set(codes: Codes) -> Bools:
    """Where a state says that the tag is there."""
    found: Bools = (codes != ABSENT) & (codes != EXPIRED)
    return found


class Rule(ABC):
    """A flag or valued tag: the first of `cases` (state, condition) that is true sets it.

    `until`, which only flags have, ends it; `values` are its values by state.
    """

    def __init__(
        self,
        tag: TagDeclaration,
        values: dict[int, TagValue],
        cases: Sequence[tuple[int, Expression]],
        until: Expression | None = None,
    ) -> None:
        self.tag = tag
        self.values: Final = values
        self.cases: Final = tuple(cases)
        self.until: Final = until

    def value(self, code: int) -> TagValue:
        """The value of a state; None when the tag is not there or the value is declared no more."""
        return self.values.get(code)

    @abstractmethod
    def because(self, frame: Frame, row: int, old: int, new: int) -> list[Because]:
        """The comparisons that moved a row from one state to another."""


class FlagRule(Rule):
    """Set by `when`; ended by `until` where that is declared, else by the end of `when`."""

    def __init__(self, tag: TagDeclaration, form: Flag) -> None:
        super().__init__(tag, {TRUE: True}, [(TRUE, form.when)], form.until)
        self.when = form.when

    def value(self, code: int) -> TagValue:
        return None if code in (ABSENT, EXPIRED) else True

    def because(self, frame: Frame, row: int, old: int, new: int) -> list[Because]:
        if new != ABSENT or self.until is None:
            return self.when.explain(frame, row, new != ABSENT)
        if self.until.true(frame)[row]:
            return self.until.explain(frame, row, True)
        return [c for c in self.when.explain(frame, row, False) if c.op == "missing"]


class ValuedRule(Rule):
    """The first case that is true."""

    def __init__(self, tag: TagDeclaration, form: Valued) -> None:
        names = {value_code(name): name for name, _ in form.cases}
        cases = [(value_code(name), case) for name, case in form.cases]
        super().__init__(tag, {TRUE: True, **names}, cases)

    def because(self, frame: Frame, row: int, old: int, new: int) -> list[Because]:
        found: list[Because] = []
        for code, case in self.cases:
            if code == new:
                found += [c for c in case.explain(frame, row, True) if c not in found]
                break
            # An earlier case matters when its end is what made room for this one.
            if code == old or new == ABSENT:
                found += [c for c in case.explain(frame, row, False) if c not in found]
        return found


def rule_of(tag: TagDeclaration) -> Rule:
    """The rule of a flag or valued tag."""
    if isinstance(tag.form, Flag):
        return FlagRule(tag, tag.form)
    if isinstance(tag.form, Valued):
        return ValuedRule(tag, tag.form)
    raise TypeError(f"{tag.name} has no rule of one value")
