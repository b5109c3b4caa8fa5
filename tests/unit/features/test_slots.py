"""Decayed weights in a few slots: who stays, who goes, and in what share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.shoppers import Shoppers

from stream_app.features import admission

DAY = 86_400_000
START = 1_700_000_000_000
TOP = "f: {top: view_item, of: item_category, half_life: 7d}"
HALF_LIFE = 7 * DAY

Seen = tuple[str, int]


def fold(made: Shoppers, seen: Sequence[Seen], user: str = "u", first: int = 0) -> None:
    made.fold(
        [
            {"id": f"{first + i}", "type": "view_item", "user": user, "at": START + at}
            | {"item_category": text}
            for i, (text, at) in enumerate(seen)
        ]
    )


def expected(seen: Sequence[Seen], room: int = 8) -> dict[str, float]:
    """Shares by the rule: the lightest slot, of equals the first, makes room for a newcomer."""
    slots: list[tuple[str, float]] = []
    for text, at in seen:
        weight = 2.0 ** (at / HALF_LIFE)
        held = [name for name, _ in slots]
        if text in held:
            slots[held.index(text)] = (text, slots[held.index(text)][1] + weight)
        elif len(slots) < room:
            slots.append((text, weight))
        else:
            slots[min(range(room), key=lambda k: slots[k][1])] = (text, weight)
    total = sum(weight for _, weight in slots)
    return {text: weight / total for text, weight in slots}


@settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    seen=st.lists(
        st.tuples(st.sampled_from([f"t{i}" for i in range(14)]), st.integers(0, 90 * DAY)),
        min_size=1,
        max_size=60,
    ),
    cut=st.integers(0, 60),
)
def test_same_as_the_rule(seen: list[Seen], cut: int) -> None:
    made = Shoppers(TOP)
    made.strings.codes(list(dict.fromkeys(text for text, _ in seen)))
    fold(made, seen[:cut])
    fold(made, seen[cut:], first=cut)
    found = made.values(START)["f"]
    assert dict(found) == pytest.approx(expected(seen), rel=1e-9)
    assert [share for _, share in found] == sorted((s for _, s in found), reverse=True)


@pytest.fixture(params=[0, 64], autouse=True)
def few(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways of taking a small batch: as one, and event by event."""
    monkeypatch.setattr(admission, "_FEW", request.param)


def test_many_users_with_full_slots_are_as_exact_as_one() -> None:
    rng = np.random.default_rng(5)
    together, alone = Shoppers(TOP), Shoppers(TOP)
    users = [f"user {i}" for i in range(40)]
    texts = [f"t{i}" for i in range(20)]
    for made in (together, alone):
        made.strings.codes(texts)
    for turn in range(3):
        events = [
            {
                "id": f"{turn} {i}",
                "type": "view_item",
                "user": users[rng.integers(0, 40)],
                "at": START + int(rng.integers(0, 30 * DAY)),
                "item_category": texts[rng.integers(0, 20)],
            }
            for i in range(600)
        ]
        together.fold(events)
        for user in users:
            alone.fold([event for event in events if event["user"] == user])
    for user in users:
        left, right = together.values(START, user)["f"], alone.values(START, user)["f"]
        assert [text for text, _ in left] == [text for text, _ in right]
        assert dict(left) == pytest.approx(dict(right), rel=1e-9)


def test_weights_stay_finite_over_a_thousand_half_lives() -> None:
    made = Shoppers("f: {top: view_item, of: item_category, half_life: 1h}")
    for day in range(0, 80, 2):
        fold(made, [("old", day * DAY), ("new", (day + 1) * DAY)], first=day)
    fold(made, [("late", 0)], first=1_000)
    values = dict(made.values(START)["f"])
    assert values["new"] == pytest.approx(1)
    assert values["old"] == pytest.approx(2.0**-24, rel=1e-6)
    assert values["late"] == 0


def test_weights_decay_behind_one_that_has_faded_to_nothing() -> None:
    made = Shoppers("f: {top: view_item, of: item_category, half_life: 1h}")
    for i, (text, day) in enumerate([("first", 0), ("second", 60), ("third", 75)]):
        fold(made, [(text, day * DAY)], first=i)
    shares = dict(made.values(START)["f"])
    assert shares["first"] == 0
    assert shares["second"] == pytest.approx(2.0 ** (-15 * 24), rel=1e-6, abs=0)
    assert shares["third"] == pytest.approx(1)


def test_usual_keeps_three() -> None:
    made = Shoppers("f: {usual: device}")
    devices = ["a", "a", "b", "b", "c", "d", "d", "d"]
    for i, device in enumerate(devices):
        made.fold([{"id": f"{i}", "type": "search", "user": "u", "at": START, "device": device}])
    assert made.values(START)["f"] == "d"
    assert made.strings.values[3] == "c"
    assert sorted(made.rows[0][next(n for n in made.rows.dtype.names if "code" in n)]) == [1, 2, 4]
