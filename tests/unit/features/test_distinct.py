"""Approximate numbers of different texts: within the stated error, and by window."""

from __future__ import annotations

import numpy as np
import pytest
from support.shoppers import Shoppers

DAY = 86_400_000
START = 19_675 * DAY
WEEK = "f: {distinct: view_item.item_id, window: 7d}"


def fold(made: Shoppers, texts: list[str], at: int = 0, user: str = "u") -> None:
    made.fold(
        [
            {"id": f"{at} {text}", "type": "view_item", "user": user, "at": START + at}
            | {"item_id": text}
            for text in texts
        ]
    )


def test_repeats_do_not_count() -> None:
    made = Shoppers(WEEK)
    fold(made, ["a"])
    fold(made, ["a"], at=5)
    assert made.values(START)["f"] == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(("texts", "error"), [(5, 0.10), (20, 0.10), (64, 0.12), (128, 0.16)])
def test_the_standard_error_is_as_stated(texts: int, error: float) -> None:
    made = Shoppers(WEEK)
    for user in range(300):
        fold(made, [f"item {user * 1_000 + i}" for i in range(texts)], user=f"{user}")
    estimates = made.bound.values(made.rows, START, made.strings)["f"]
    assert isinstance(estimates, np.ndarray)
    relative = estimates / texts - 1
    assert np.sqrt(np.mean(relative**2)) < error


def test_more_than_it_can_tell() -> None:
    made = Shoppers(WEEK)
    fold(made, [f"item {i}" for i in range(3_000)])
    assert made.values(START)["f"] == pytest.approx(64 * np.log(128))


def test_texts_leave_with_their_pane_and_a_repeat_keeps_them() -> None:
    made = Shoppers(f"{WEEK}\ng: {{distinct: view_item.item_id, window: 2d}}")
    fold(made, ["a", "b"])
    fold(made, ["a"], at=3 * DAY)
    assert round(made.values(START + 3 * DAY)["f"]) == 2
    assert round(made.values(START + 3 * DAY)["g"]) == 1
    assert round(made.values(START + 7 * DAY)["f"]) == 1
    assert round(made.values(START + 10 * DAY)["f"]) == 0


def test_texts_are_not_put_into_the_dictionary() -> None:
    made = Shoppers(WEEK)
    fold(made, ["a", "b"])
    assert len(made.strings) == 0
