"""Flags and valued tags of all rows at once: from what they are to what they become."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, zip_longest
from typing import NamedTuple

import numpy as np

from stream_app.domain.changes import SourceKind
from stream_app.domain.expression import Answer, Circuit, Frame
from stream_app.tagging.codes import ABSENT, EXPIRED
from stream_app.tagging.decision import NEVER, Decision, aged, decision
from stream_app.tagging.rules import Bools, Codes, Rule, is_set
from stream_app.tagging.timing import Places, Timing


class Flips(NamedTuple):
    """Changes that happen: rule, row, the state before and after."""

    rules: Places
    rows: Places
    old: Codes
    new: Codes

    def seen(self) -> Bools:
        """Where the tag itself changes: to arm an expired one again is no change of it."""
        return is_set(self.old) | is_set(self.new)

    def only(self, chosen: Bools) -> Flips:
        """The flips where `chosen` is true."""
        return Flips(self.rules[chosen], self.rows[chosen], self.old[chosen], self.new[chosen])


class Scalars:
    """The rules of flags and valued tags; `places` are theirs among all declared tags.

    States of all rules and rows are one matrix (rules, m): few large steps cost far less than
    many small ones when rows are few. What then changes is looked at cell by cell.
    """

    def __init__(self, rules: Sequence[Rule], places: Sequence[int]) -> None:
        self._rules = list(rules)
        self._places = np.array(places, dtype=np.intp)
        #: The first case of each rule, then the second of each that has one, and so on.
        ranks = [
            [(i, *case) for i, case in enumerate(cases) if case]
            for cases in zip_longest(*(rule.cases for rule in rules))
        ]
        bands = [(i, rule.cases[0][1], rule.until) for i, rule in enumerate(rules) if rule.until]
        begins = [[Answer(case.root) for _, _, case in rank] for rank in ranks]
        stays = [Answer(when.root, False) for _, when, _ in bands]
        ends = [Answer(until.root) for _, _, until in bands]
        self._circuit = Circuit([*chain.from_iterable(begins), *stays, *ends])
        self._ranks = [
            (
                np.array([i for i, _, _ in rank]),
                np.array([[code] for _, code, _ in rank], dtype=np.uint16),
                self._circuit.places(begin),
            )
            for rank, begin in zip(ranks, begins, strict=True)
        ]
        self._bands = np.array([i for i, _, _ in bands], dtype=np.intp)
        self._stays, self._ends = self._circuit.places(stays), self._circuit.places(ends)
        self._holds = np.array([rule.tag.hold_ms for rule in rules], dtype=np.int64)
        expires = np.array([rule.tag.expires_ms for rule in rules], dtype=np.int64)
        self._expiring = expires.nonzero()[0]
        self._expires = expires[self._expiring, None]

    def decide(self, states: Codes, frame: Frame, timing: Timing) -> list[Decision]:
        """Update `states` (m, rules) and tell the changes."""
        old = np.ascontiguousarray(states.T)
        new = self._wanted(old, frame, timing)
        flips = self._flips(old, new, timing)
        found = self._decisions(flips, frame, timing)
        states[flips.rows, flips.rules] = flips.new
        seen = flips.seen()
        timing.stamp(flips.rows[seen], self._places[flips.rules[seen]])
        if len(self._expiring):
            ends = timing.all_ends(self._places[self._expiring], self._expires)
            timing.look_again(np.where(is_set(states.T[self._expiring]), ends, NEVER))
        return found

    def _wanted(self, old: Codes, frame: Frame, timing: Timing) -> Codes:
        """States that follow from the features, the states before and the time; holds aside."""
        answers = self._circuit.run(frame, old.shape[1])
        _, codes, begins = self._ranks[0]
        new = answers[begins] * codes
        for rules, codes, begins in self._ranks[1:]:
            first = new[rules]
            new[rules] = np.where(answers[begins] & (first == ABSENT), codes, first)
        begun = new != ABSENT
        if len(self._bands):
            stays = answers[self._stays] & is_set(old[self._bands])
            # Where both are true the end wins, else such a tag would flip at every decision.
            new[self._bands] = (begun[self._bands] | stays) & ~answers[self._ends]
        if len(self._expiring):
            before = old[self._expiring]
            over = timing.all_ends(self._places[self._expiring], self._expires) <= timing.now
            spent = (is_set(before) & over) | (before == EXPIRED)
            # Until its condition has been false once, an expired tag is not set again.
            ended = np.where(begun[self._expiring], np.uint16(EXPIRED), np.uint16(ABSENT))
            new[self._expiring] = np.where(spent, ended, new[self._expiring])
        return new

    def _flips(self, old: Codes, new: Codes, timing: Timing) -> Flips:
        # Of a flat array nonzero is several times faster.
        cells = (new != old).ravel().nonzero()[0]
        rules, rows = np.divmod(cells, old.shape[1])
        flips = Flips(rules, rows, old.ravel()[cells], new.ravel()[cells])
        holds = self._holds[rules]
        bound = (holds > 0) & flips.seen()
        if not bound.any():
            return flips
        allowed = ~bound
        allowed[bound] = timing.free(rows[bound], self._places[rules[bound]], holds[bound])
        return flips.only(allowed)

    def _decisions(self, flips: Flips, frame: Frame, timing: Timing) -> list[Decision]:
        places = self._places[flips.rules]
        ages = timing.now - timing.ends(flips.rows, places, 0)
        columns = (*flips, places, ages)
        found = []
        for i, row, old, new, place, age in zip(*(c.tolist() for c in columns), strict=True):
            rule = self._rules[i]
            previous, value = rule.value(old), rule.value(new)
            if previous == value:
                continue
            expires = rule.tag.expires_ms
            kind: SourceKind = (
                "expiry" if expires and previous is not None and age >= expires else "rule"
            )
            because = aged(age, expires) if kind == "expiry" else rule.because(frame, row, old, new)
            found.append(decision(rule.tag, place, row, value, previous, kind, because, timing.now))
        return found
