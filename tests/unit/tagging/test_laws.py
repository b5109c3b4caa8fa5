"""Laws that hold for any rules, values and moments."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise, product

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from support.reference_rules import truth
from support.tag_model import Model
from support.tag_table import HOUR, START, Table, weighted

from stream_app.tagging import NEVER

FLAG = "x > 1 or y == 2"
UNTIL = "x < 1"
CASES = {"high": "x >= 3", "mid": "x >= 2 and y < 3", "low": "x > 0"}
VALUES = "values: {" + ", ".join(f"{name}: {case}" for name, case in CASES.items()) + "}"
#: Every mixture of what a tag can have; the names say which.
ALL = f"""\
flag: {{class: basic, when: {FLAG}}}
flag_h: {{class: basic, when: {FLAG}, hold: 2h}}
flag_e: {{class: basic, when: {FLAG}, expires: 5h}}
flag_he: {{class: basic, when: {FLAG}, hold: 2h, expires: 5h}}
band: {{class: basic, when: {FLAG}, until: {UNTIL}}}
band_he: {{class: basic, when: {FLAG}, until: {UNTIL}, hold: 2h, expires: 5h}}
level: {{class: basic, {VALUES}}}
level_he: {{class: basic, {VALUES}, hold: 2h, expires: 5h}}
likes: {{class: interest, list: tops, top: 2, min_share: 0.3}}
likes_h: {{class: interest, list: tops, top: 2, min_share: 0.3, hold: 2h}}
"""
PLAIN = ("flag", "level")

numbers = [None, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0]
shares = [
    {},
    {"shoes": 0.5, "hats": 0.5},
    {"hats": 0.6, "shoes": 0.4},
    {"bags": 0.5, "shoes": 0.3, "hats": 0.1},
    {"bags": 0.8, "hats": 0.2},
]
User = tuple[float | None, float | None, dict[str, float]]
USERS = 2
users_of_a_round = st.tuples(
    *[st.sampled_from(list(product(numbers, numbers, shares))) for _ in range(USERS)]
)
steps = st.sampled_from([0, 1, 999, 1_000, HOUR // 2, HOUR, 2 * HOUR, 3 * HOUR, 5 * HOUR])
rounds = st.lists(st.tuples(steps, users_of_a_round), min_size=1, max_size=10)


def columns(
    users: Sequence[tuple[float | None, float | None, dict[str, float]]],
) -> dict[str, object]:
    return {
        "x": [x for x, _, _ in users],
        "y": [y for _, y, _ in users],
        "tops": weighted([tops for _, _, tops in users]),
    }


def cases_of(tag: str, row: dict[str, float | None]) -> list[tuple[str | bool, bool | None]]:
    if tag.startswith("level"):
        return [(name, truth(case, row)) for name, case in CASES.items()]
    return [(True, truth(FLAG, row))]


@given(rounds)
def test_tags_live_as_defined(sequence: list) -> None:
    table, now = Table(ALL, USERS), START
    tags = [tag for tag in table.tags.names if not tag.startswith("likes")]
    models = {
        (row, tag): Model(hold=2 * HOUR * ("_h" in tag), expires=5 * HOUR * tag.endswith("e"))
        for row in range(USERS)
        for tag in tags
    }
    for step, users in sequence:
        now += step
        expected = []
        for row, (x, y, _) in enumerate(users):
            values = {"x": x, "y": y}
            for tag in tags:
                model, previous = models[row, tag], models[row, tag].value
                until = (truth(UNTIL, values),) if tag.startswith("band") else None
                if kind := model.decide(now, cases_of(tag, values), until):
                    expected.append((row, tag, kind, previous, model.value))
        changes = table.changes(now, **columns(users))
        assert [
            (d.row, d.tag, d.source_kind, d.previous, d.value)
            for d in changes
            if not d.tag.startswith("likes")
        ] == expected


@given(rounds)
def test_changes_form_a_chain_and_explain_themselves(sequence: list) -> None:
    table, now = Table(ALL, USERS), START
    known: dict[tuple[int, str], object] = {}
    for step, users in sequence:
        now += step
        for decision in table.changes(now, **columns(users)):
            key = (decision.row, decision.tag)
            assert decision.previous == known.get(key)
            assert decision.value != decision.previous
            assert decision.because
            known[key] = decision.value
        states = {(row, tag): v for row, t in enumerate(table.values()) for tag, v in t.items()}
        assert states == {key: value for key, value in known.items() if value is not None}


@given(rounds)
def test_without_memory_only_the_last_values_count(sequence: list) -> None:
    stepwise, at_once, now = Table(ALL, USERS), Table(ALL, USERS), START
    for step, users in sequence:
        now += step
        stepwise.decide(now, **columns(users))
    at_once.decide(now, **columns(sequence[-1][1]))
    for many, one in zip(stepwise.values(), at_once.values(), strict=True):
        assert {tag: many.get(tag) for tag in PLAIN} == {tag: one.get(tag) for tag in PLAIN}
        assert set(many.get("likes", ())) == set(one.get("likes", ()))


@given(rounds)
def test_deciding_users_together_or_apart_is_the_same(sequence: list) -> None:
    together, apart, now = Table(ALL, USERS), [Table(ALL) for _ in range(USERS)], START
    for step, users in sequence:
        now += step
        decisions = together.decide(now, **columns(users))
        alone = [one.decide(now, **columns([u])) for one, u in zip(apart, users, strict=True)]
        assert [(d.row, d.tag, d.value, d.because) for d in decisions.changes] == [
            (row, d.tag, d.value, d.because) for row, one in enumerate(alone) for d in one.changes
        ]
        assert decisions.due.tolist() == [int(one.due[0]) for one in alone]


@given(rounds)
def test_deciding_again_changes_nothing(sequence: list) -> None:
    table, now = Table(ALL, USERS), START
    for step, users in sequence:
        now += step
        first = table.decide(now, **columns(users))
        rows = table.rows.tobytes()
        again = table.decide(now, **columns(users))
        assert again.changes == []
        assert again.due.tolist() == first.due.tolist()
        assert table.rows.tobytes() == rows


@given(
    st.lists(
        st.tuples(steps, users_of_a_round, st.sampled_from([0.5, 1.0, 2.0])), min_size=1, max_size=6
    )
)
def test_rules_with_quantiles_are_rules_with_the_numbers_written_in(sequence: list) -> None:
    """Round by round other numbers, as other models have, with the states of the round before."""
    text = re.sub(r"x (>=?|<) (\d)", r"x \1 LIMIT * \2", ALL)
    assert text.count("LIMIT") > 10
    named, now = Table(text.replace("LIMIT", "q90.x"), USERS), START
    rows = named.rows
    for step, users, quantile in sequence:
        now += step
        written = Table(text.replace("LIMIT", str(quantile)), USERS)
        written.rows = rows.copy()
        decided = named.decide(now, {"q90.x": quantile}, **columns(users))
        same = written.decide(now, **columns(users))
        assert [(d.row, d.tag, d.value, d.source_kind) for d in decided.changes] == [
            (d.row, d.tag, d.value, d.source_kind) for d in same.changes
        ]
        assert decided.due.tolist() == same.due.tolist()
        assert rows.tobytes() == written.rows.tobytes()


@given(rounds, st.floats(0, 1, exclude_max=True))
def test_nothing_changes_before_due_and_something_does_at_due(
    sequence: list, fraction: float
) -> None:
    table, now = Table(ALL, USERS), START
    for step, users in sequence:
        now += step
        due = table.decide(now, **columns(users)).due
    for row in np.flatnonzero(due != NEVER):
        only = Table(ALL)
        only.rows = table.rows[row : row + 1].copy()
        same = columns([sequence[-1][1][row]])
        moment = int(due[row])
        assert moment > now
        for before in (now + int(fraction * (moment - now)), moment - 1):
            assert only.changes(before, **same) == []
        assert only.changes(moment, **same)


@given(st.lists(st.floats(150, 200), min_size=1, max_size=20), st.booleans())
def test_hysteresis_never_flaps_inside_its_band(walk: list[float], on: bool) -> None:
    table = Table("big: {class: spending, when: x > 200, until: x < 150}")
    table.decide(START, x=[300 if on else 100])
    assert [d for x in walk for d in table.changes(START, x=[x])] == []


@given(rounds)
def test_nothing_flips_twice_within_a_hold(sequence: list) -> None:
    table, now = Table(ALL, USERS), START
    flips: dict[tuple[int, str], list[int]] = {}
    for step, users in sequence:
        now += step
        for decision in table.changes(now, **columns(users)):
            if "_h" in decision.tag:
                flips.setdefault((decision.row, decision.tag), []).append(now)
    for moments in flips.values():
        assert all(later - earlier >= 2 * HOUR for earlier, later in pairwise(moments))
