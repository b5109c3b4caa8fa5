"""Flags and valued tags of all rows at once: from what they are to what they become."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.changes import SourceKind
from stream_app.domain.expression import Comparison, Frame
from stream_app.tagging.codes import ABSENT, EXPIRED
from stream_app.tagging.decision import Decision, decision
from stream_app.tagging.rules import Bools, Codes, Rule, is_set
from stream_app.tagging.timing import Places, Timing

_HOUR_MS: Final = 3_600_000


class Flips(NamedTuple):
    """Changes that may happen: rule, row, state before and after, and whether time made it."""

    rules: Places
    rows: Places
    old: Codes
    new: Codes
    expired: Bools

    def only(self, chosen: Bools) -> Flips:
        """The flips where `chosen` is true."""
        return Flips(
            self.rules[chosen],
            self.rows[chosen],
            self.old[chosen],
            self.new[chosen],
            self.expired[chosen],
        )


class Scalars:
    """The rules of flags and valued tags; `places` are theirs among all declared tags."""

    def __init__(self, rules: Sequence[Rule], places: Sequence[int]) -> None:
        self._rules = list(rules)
        self._places = np.array(places, dtype=np.intp)
        self._holds = np.array([rule.tag.hold_ms for rule in rules], dtype=np.int64)
        self._expiring = [i for i, rule in enumerate(rules) if rule.tag.expires_ms]

    def decide(
        self, states: NDArray[np.uint16], frame: Frame, timing: Timing
    ) -> Iterator[Decision]:
        """Update `states` (m, rules); the changes come rule by rule."""
        flips = self._flips(states, frame, timing)
        # Reasons of expiries look at when the tag was set, so they come before the stamp.
        decisions = list(self._explain(flips, frame, timing))
        states[flips.rows, flips.rules] = flips.new
        # Nor does it count as the tag's last change.
        seen = is_set(flips.old) | is_set(flips.new)
        timing.stamp(flips.rows[seen], self._places[flips.rules[seen]])
        for i in self._expiring:
            rows = np.flatnonzero(is_set(states[:, i]))
            timing.await_expiry(rows, self._places[i], self._rules[i].tag.expires_ms)
        return iter(decisions)

    def _flips(self, states: NDArray[np.uint16], frame: Frame, timing: Timing) -> Flips:
        old = np.ascontiguousarray(states.T)
        new = np.empty_like(old)
        expired = np.zeros(old.shape, dtype=np.bool_)
        for i, rule in enumerate(self._rules):
            new[i] = rule.wanted(frame, old[i])
        for i in self._expiring:
            expired[i] = self._expire(i, old[i], new[i], frame, timing)
        rules, rows = np.nonzero(new != old)
        flips = Flips(rules, rows, old[rules, rows], new[rules, rows], expired[rules, rows])
        # Arming an expired tag again is no change of the tag, so no hold puts it off.
        bound = (self._holds[rules] > 0) & (is_set(flips.old) | is_set(flips.new))
        allowed = ~bound
        allowed[bound] = timing.free(
            rows[bound], self._places[rules[bound]], self._holds[rules[bound]]
        )
        return flips.only(allowed)

    def _expire(self, i: int, old: Codes, new: Codes, frame: Frame, timing: Timing) -> Bools:
        """Put what has expired into `new`; return where that happens now."""
        rule = self._rules[i]
        over = is_set(old) & timing.over(int(self._places[i]), rule.tag.expires_ms)
        spent = over | (old == EXPIRED)
        if spent.any():
            # Until its condition has been false once, an expired tag is not set again.
            new[spent] = np.where(rule.begun(frame)[spent], EXPIRED, ABSENT)
        return over

    def _explain(self, flips: Flips, frame: Frame, timing: Timing) -> Iterator[Decision]:
        columns = (column.tolist() for column in flips)
        for i, row, old, new, expired in zip(*columns, strict=True):
            rule = self._rules[i]
            previous, value = rule.value(old), rule.value(new)
            if previous == value:
                continue
            place = int(self._places[i])
            kind: SourceKind = "expiry" if expired else "rule"
            if expired:
                because = [self._age(rule, row, place, timing)]
            else:
                because = rule.because(frame, row, old, new)
            yield decision(rule.tag, place, row, value, previous, kind, because, timing.now)

    def _age(self, rule: Rule, row: int, place: int, timing: Timing) -> Comparison:
        hours = (timing.now - int(timing.ends(row, place, 0))) / _HOUR_MS
        return Comparison("hours_since_set", ">=", hours, rule.tag.expires_ms / _HOUR_MS)
