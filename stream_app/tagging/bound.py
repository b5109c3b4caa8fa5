"""Tags on the rows of one layout: decide all rows of a round, and tell what is set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from operator import attrgetter
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from stream_app.domain.changes import TagStatus, TagValue
from stream_app.domain.expression import Frame
from stream_app.domain.layout import Layout, Rows
from stream_app.tagging.codes import CONFIDENCE, SINCE, VALUES, list_field
from stream_app.tagging.decision import NEVER, Decision, Decisions
from stream_app.tagging.declarations import Learned, Listed, TagDeclaration
from stream_app.tagging.learned import Judgement, LearnedRule
from stream_app.tagging.lists import ListRule
from stream_app.tagging.rules import Rule, rule_of
from stream_app.tagging.scalars import Scalars
from stream_app.tagging.states import States
from stream_app.tagging.timing import Timing

_ORDER: Final = attrgetter("row", "place")
_NONE: Final[Mapping[str, float]] = MappingProxyType({})


class BoundTags:
    """Decides the declared tags; see `compile_tags`.

    A tag's state is found by the tag's name: what is not declared any more is not in the rows
    any more, and nothing is decided about it.
    """

    def __init__(self, tags: Sequence[TagDeclaration], layout: Layout) -> None:
        self._layout = layout
        self._tags = list(tags)
        self._lists = [
            (list_field(tag.name).name, ListRule(tag, tag.form, place))
            for place, tag in enumerate(tags)
            if isinstance(tag.form, Listed)
        ]
        self._learned = [
            LearnedRule(tag, tag.form, place)
            for place, tag in enumerate(tags)
            if isinstance(tag.form, Learned)
        ]
        listed = {rule.place for _, rule in self._lists}
        learned = {rule.place for rule in self._learned}
        # In the block of values comes first what rules say, then what models say.
        ruled = [place for place in range(len(tags)) if place not in listed | learned]
        self._rules: list[Rule] = [rule_of(tags[place]) for place in ruled]
        self._scalars = Scalars(self._rules, ruled)
        rule_at: dict[int, Rule | LearnedRule] = dict(zip(ruled, self._rules, strict=True))
        rule_at |= {rule.place: rule for rule in self._learned}
        self._states = States(tags, layout, rule_at)

    def decide(
        self,
        rows: Rows,
        values: Mapping[str, Any],
        now: int,
        dictionary_values: Sequence[str],
        judgement: Judgement | None = None,
        quantiles: Mapping[str, float] = _NONE,
    ) -> Decisions:
        """Bring the tags of `rows` (m,) up to the feature values at `now`, in place.

        `values` has a column of m values for each feature; `dictionary_values` are the texts by
        dictionary code; `now` is epoch milliseconds and never less than at the call before.
        `judgement` is what models say of these rows; without it their tags stay until they expire.
        `quantiles` are those of all users by name; one that is not there is missing.
        """
        due = np.full(len(rows), NEVER, dtype=np.int64)
        if not self._tags or not len(rows):
            return Decisions(due, [])
        timing = Timing(now, self._layout.block(rows, SINCE), due)
        found: list[Decision] = []
        if self._rules:
            states = self._layout.block(rows, VALUES)[:, : len(self._rules)]
            found += self._scalars.decide(states, Frame(values, quantiles), timing)
        for field, rule in self._lists:
            found += rule.decide(rows[field], values, dictionary_values, timing)
        found += self._decide_learned(rows, judgement, timing)
        found.sort(key=_ORDER)
        return Decisions(due, found)

    def _decide_learned(
        self, rows: Rows, judgement: Judgement | None, timing: Timing
    ) -> Iterator[Decision]:
        if not self._learned:
            return
        states = self._layout.block(rows, VALUES)[:, len(self._rules) :]
        confidences = self._layout.block(rows, CONFIDENCE)
        for i, rule in enumerate(self._learned):
            before = states[:, i]
            wanted = judgement.wanted(rule.tag.name, before) if judgement else None
            yield from rule.decide(before, confidences[:, i], wanted, timing)

    def learned(self, rows: Rows, name: str) -> list[TagValue]:
        """What the learned tag `name` is on each of the rows, None where it is not."""
        i = [rule.tag.name for rule in self._learned].index(name)
        codes = self._layout.block(rows, VALUES)[:, len(self._rules) + i].tolist()
        return [self._learned[i].value(code) for code in codes]

    def state(self, rows: Rows, i: int, dictionary_values: Sequence[str]) -> dict[str, TagStatus]:
        """The tags that row `i` has, in the order of declaration, as `tag-state` shows them."""
        return self.states(rows[i : i + 1], dictionary_values)[0]

    def states(self, rows: Rows, dictionary_values: Sequence[str]) -> list[dict[str, TagStatus]]:
        """Like `state`, for each of the rows."""
        if not self._tags:
            return [{} for _ in rows]
        return self._states.of(rows, dictionary_values)

    def states_in_json(
        self, rows: Rows, dictionary_values: Sequence[str], chosen: Sequence[int]
    ) -> list[str]:
        """The states of the rows `chosen` by index, as objects in JSON."""
        return self._states.in_json(rows, dictionary_values, chosen)
