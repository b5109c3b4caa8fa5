"""Laws of learned tags, whatever models say and whenever."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.tag_table import HOUR, KINDS, START, TEXTS, numbers

from stream_app.domain.because import Because
from stream_app.domain.expression import parse
from stream_app.domain.layout import Layout, convert
from stream_app.domain.source import loads
from stream_app.tagging import (
    NEVER,
    Decision,
    Learned,
    TagDeclaration,
    Wanted,
    compile_tags,
    declare,
)
from stream_app.tagging.codes import EXPIRED, segment_code, segment_id, value_code

HOLD, EXPIRES = 2 * HOUR, 5 * HOUR
USERS = 3
BANDS = ("low", "mid", "high", "top")
FORMS = {
    "flag": Learned("model", (), None, frozenset("x")),
    "bands": Learned("model", BANDS, parse("x > 1", KINDS), frozenset("y")),
    "segment": Learned("segment", (), None, frozenset("x")),
}
CODES = {
    "flag": [0, 1],
    "bands": [0, *map(value_code, BANDS)],
    "segment": [0, *map(segment_code, ("s1", "s2", "s900", "unusual"))],
}
RULE = "big: {class: basic, when: x > 1}"


def declarations() -> dict[str, TagDeclaration]:
    learned = {
        name: TagDeclaration(
            name, "segment" if form.source == "segment" else "prediction", "", form,
            HOLD if form.source == "segment" else 0,
            0 if form.source == "segment" else EXPIRES, "abc",
        )
        for name, form in FORMS.items()
    }  # fmt: skip
    # What models say comes last wherever it is declared.
    return {"flag": learned["flag"], **declare(loads(RULE, "t"), KINDS), **learned}


@dataclass
class Script:
    """A judgement by the book: codes by tag (m,); a tag that is not there has no model."""

    codes: dict[str, list[int]]
    sure: float = 0.7

    def wanted(self, tag: str, before: Any) -> Wanted | None:
        if tag not in self.codes:
            return None
        codes = np.array(self.codes[tag], np.uint16)

        def reasons(rows: Any, old: Any, new: Any) -> list:
            return [
                [Because(str(r), float(o), "==", float(n))]
                for r, o, n in zip(rows, old, new, strict=True)
            ]

        return Wanted(codes, np.full(len(codes), self.sure), "9", reasons)


class Shop:
    """`users` rows with a rule's tag and one of each learned form."""

    def __init__(self, users: int = USERS) -> None:
        self.tags = compile_tags(declarations(), KINDS)
        self.layout = Layout.of(self.tags.fields)
        self.bound = self.tags.bind(self.layout)
        self.rows = self.layout.blank(users)

    def decide(self, now: int, script: Script | None, x: float = 0.0) -> Any:
        values = {"x": numbers([x] * len(self.rows)), "y": numbers([0.0] * len(self.rows))}
        return self.bound.decide(self.rows, values, now, TEXTS, script)

    def states(self) -> list[dict[str, Any]]:
        return self.bound.states(self.rows, TEXTS)


said = st.fixed_dictionaries(
    {},
    optional={
        tag: st.lists(st.sampled_from(codes), min_size=USERS, max_size=USERS)
        for tag, codes in CODES.items()
    },
)
steps = st.sampled_from([0, 1, 999, 1_000, HOUR, HOLD, 3 * HOUR, EXPIRES, 2 * EXPIRES])
rounds = st.lists(st.tuples(steps, said), min_size=1, max_size=8)


def shown(decision: Decision) -> tuple:
    return (decision.tag, decision.previous, decision.value, decision.source_kind)


def test_ids_are_read_back_from_codes() -> None:
    ids = ["unusual", *(f"s{n}" for n in (1, 2, 12, 999, 65_532))]
    codes = [segment_code(name) for name in ids]
    assert [segment_id(code) for code in codes] == ids
    assert len({0, 1, EXPIRED, *codes}) == len(ids) + 3
    assert [segment_id(code) for code in (0, 1, EXPIRED)] == [None] * 3
    for odd in ("s0", "s65533", "s01", "x1", "1", "", "s-1", "s1 "):
        with pytest.raises(ValueError, match="no id of a segment"):
            segment_code(odd)


def test_models_tags_follow_those_of_rules_and_look_at_their_features() -> None:
    tags = compile_tags(declarations(), KINDS)
    assert tags.names == ("big", "flag", "bands", "segment")
    assert tags.features == {"x", "y"}
    assert tags.thresholds == {"x": (1.0,)}


@given(rounds)
def test_changes_form_a_chain_and_no_tag_outlives_its_end(sequence: list) -> None:
    shop, now = Shop(), START
    known: dict[tuple[int, str], Any] = {}
    until: dict[tuple[int, str], int] = {}
    for step, codes in sequence:
        now += step
        done = shop.decide(now, Script(codes))
        for d in done.changes:
            key = (d.row, d.tag)
            assert d.previous == known.get(key)
            assert d.value != d.previous or until[key] <= now
            known[key] = d.value
            until[key] = d.valid_until or NEVER
            assert d.source_kind == "expiry" or d.revision == "9"
            assert d.confidence == (0.7 if d.source_kind != "expiry" else 1.0)
        told = {(i, t): s["value"] for i, row in enumerate(shop.states()) for t, s in row.items()}
        assert told == {key: value for key, value in known.items() if value is not None}
        for i, row in enumerate(shop.states()):
            for tag, status in row.items():
                assert (status["valid_until"] or NEVER) == until[i, tag] > now
                assert done.due[i] <= until[i, tag]
                assert status["confidence"] == 0.7


@given(rounds)
def test_where_nothing_holds_it_a_tag_is_what_its_model_says(sequence: list) -> None:
    shop, now = Shop(), START
    for step, codes in sequence:
        now += step
        shop.decide(now, Script(codes))
        for tag in ("flag", "bands"):
            if tag in codes:
                found = shop.bound.learned(shop.rows, tag)
                names = {value_code(b): b for b in BANDS} | {0: None, 1: True}
                assert found == [names[code] for code in codes[tag]]


@given(rounds)
def test_users_together_or_apart_are_the_same(sequence: list) -> None:
    together, apart, now = Shop(), [Shop(1) for _ in range(USERS)], START
    for step, codes in sequence:
        now += step
        many = together.decide(now, Script(codes))
        alone = [
            one.decide(now, Script({tag: [listed[i]] for tag, listed in codes.items()}))
            for i, one in enumerate(apart)
        ]
        assert [(d.row, *shown(d)) for d in many.changes] == [
            (i, *shown(d)) for i, one in enumerate(alone) for d in one.changes
        ]
        assert many.due.tolist() == [int(one.due[0]) for one in alone]


@given(rounds, st.floats(0, 1))
def test_deciding_again_changes_nothing_even_if_the_probability_does(sequence, sure) -> None:
    shop, now = Shop(), START
    for step, codes in sequence:
        now += step
        first = shop.decide(now, Script(codes))
        rows = shop.rows.tobytes()
        again = shop.decide(now, Script(codes, sure))
        assert again.changes == []
        assert again.due.tolist() == first.due.tolist()
        assert shop.rows.tobytes() == rows


@given(rounds)
def test_at_due_something_changes_and_not_before(sequence: list) -> None:
    shop, now = Shop(), START
    for step, codes in sequence:
        now += step
        due = shop.decide(now, Script(codes)).due
    for i in np.flatnonzero(due != NEVER).tolist():
        only = Shop(1)
        only.rows = shop.rows[i : i + 1].copy()
        same = Script({tag: [listed[i]] for tag, listed in codes.items()})
        assert now < due[i]
        assert only.decide(int(due[i]) - 1, same).changes == []
        assert only.decide(int(due[i]), same).changes


@given(rounds)
def test_a_segment_lasts_for_its_least_time(sequence: list) -> None:
    shop, now = Shop(), START
    changed: dict[int, int] = {}
    for step, codes in sequence:
        now += step
        for d in shop.decide(now, Script(codes)).changes:
            if d.tag == "segment":
                assert now - changed.get(d.row, 0) >= HOLD
                changed[d.row] = now


def test_rules_tags_beside_them_are_decided_as_ever() -> None:
    shop = Shop(1)
    [change] = shop.decide(START, None, x=2.0).changes
    assert shown(change) == ("big", None, True, "rule")
    both = shop.decide(START + 1_000, Script({"flag": [1], "segment": [3]}), x=0.0).changes
    assert [shown(d) for d in both] == [
        ("big", True, None, "rule"),
        ("flag", None, True, "model"),
        ("segment", None, "s1", "segment"),
    ]
    assert [d.confidence for d in both] == [1.0, 0.7, 0.7]


def test_a_tag_that_a_rule_has_left_is_taken_over() -> None:
    rule = "flag: {class: basic, when: x > 1, expires: 5h}"
    ruled = compile_tags(declare(loads(rule, "t"), KINDS), KINDS)
    old = Layout.of(ruled.fields)
    rows = old.blank(2)
    for now in (START, START + EXPIRES):
        values = {"x": numbers([2.0, 2.0 if now == START else 0.0])}
        ruled.bind(old).decide(rows, values, now, TEXTS)
    assert old.block(rows, "tag_value")[:, 0].tolist() == [EXPIRED, 0]
    shop = Shop(2)
    shop.rows = convert(rows, old, shop.layout)
    assert shop.decide(START + EXPIRES, None).changes == []
    found = shop.decide(START + EXPIRES, Script({"flag": [1, 1]})).changes
    assert [(d.row, d.previous, d.value) for d in found] == [(0, None, True), (1, None, True)]
