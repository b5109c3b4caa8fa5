"""Sessions start after a gap of more than 30 minutes, in log order."""

from __future__ import annotations

import pytest
from support.shoppers import Shoppers

MINUTE = 60_000
#: A full hour.
START = 1_699_920_000_000
SESSIONS = "f: {sessions: clicks, window: all}"


def fold(made: Shoppers, user: str, minutes: list[float]) -> None:
    made.fold(
        [
            {"id": f"{user}{m}", "type": "search", "user": user, "at": START + int(m * MINUTE)}
            for m in minutes
        ]
    )


@pytest.mark.parametrize(
    ("minutes", "sessions"),
    [
        ([0], 1),
        ([0, 30], 1),
        ([0, 30.001], 2),
        ([0, 20, 40, 60], 1),
        ([0, 31, 62], 3),
        # An event that comes late starts nothing, and does not turn the clock back.
        ([60, 0, 80], 1),
        ([0, 60, 15, 100], 3),
    ],
)
@pytest.mark.parametrize("at_once", [True, False])
def test_sessions(minutes: list[float], sessions: int, at_once: bool) -> None:
    made = Shoppers(SESSIONS)
    for part in [minutes] if at_once else [[m] for m in minutes]:
        fold(made, "u", part)
    assert made.values(START)["f"] == sessions


def test_users_do_not_mix() -> None:
    made = Shoppers(SESSIONS)
    fold(made, "v", [0])
    fold(made, "u", [50])
    fold(made, "v", [100, 110])
    assert made.values(START, "u")["f"] == 1
    assert made.values(START, "v")["f"] == 2


def test_the_gap_can_be_set() -> None:
    made = Shoppers(SESSIONS, session_gap_ms=5 * MINUTE)
    fold(made, "u", [0, 6])
    assert made.values(START)["f"] == 2


def test_a_session_counts_in_the_pane_of_its_first_event() -> None:
    made = Shoppers("f: {sessions: clicks, window: 2h}")
    fold(made, "u", [0, 20, 40, 60])
    assert made.values(START + 60 * MINUTE)["f"] == 1
    assert made.values(START + 120 * MINUTE)["f"] == 0
