"""Users who come and go: for less and for more than they may be idle for; and those who stay."""

from __future__ import annotations

from pathlib import Path

from chaos.leaving import VISIT_MS, Leaving, is_away
from chaos.lives import DAY_MS
from chaos.shop import IDLE_DAYS, PAST, USERS, catalogue_of, traffic_of

from stream_app.engine import load_catalogue

IDLE = IDLE_DAYS * DAY_MS
HOUR = 3_600_000


def pauses(user: int, days: int = 60) -> list[int]:
    """How long he is away each time (ms), to the hour; the last one may not have ended."""
    found, since = [], 0
    for passed in range(0, days * DAY_MS, HOUR):
        if is_away(user, passed, IDLE):
            since += HOUR
        elif since:
            found.append(since)
            since = 0
    return [*found, since] if since else found


def test_pauses_end_before_with_and_after_the_time_that_one_may_be_idle_for() -> None:
    longest = {max(pauses(user)[1:-1], default=0) for user in range(1, 29, 2)}
    assert any(0 < pause < IDLE for pause in longest)
    assert any(IDLE < pause < IDLE + DAY_MS for pause in longest)
    assert any(pause > IDLE + DAY_MS for pause in longest)
    # Who stays away for good is there once.
    assert 0 in longest
    assert not is_away(9, VISIT_MS, IDLE)
    assert is_away(9, 60 * DAY_MS, IDLE)


def test_some_stay_and_time_goes_on_as_without_those_who_leave() -> None:
    plain, leaving = traffic_of(3), traffic_of(3, forgetting=True)
    assert isinstance(leaving, Leaving)
    made, others = plain.take(2_000), leaving.take(2_000)
    assert [one.at for one in made] == [one.at for one in others]
    users = {int(one.user.removeprefix("user-")) for one in others if not one.refused}
    assert users < set(range(USERS))
    assert {user for user in users if user % 2} != set(range(1, USERS, 2))


def test_where_events_are_of_the_present_the_first_ones_are_of_before() -> None:
    traffic = traffic_of(3, 600.0, forgetting=True)
    made = traffic.take(PAST + 100)
    assert made[0].at < traffic.start - 4 * IDLE
    assert max(one.at for one in made) - traffic.start < 1_000


def test_a_shop_that_forgets_looks_no_further_back(tmp_path: Path) -> None:
    path = tmp_path / "shop.yaml"
    for learning in (False, True):
        path.write_text(catalogue_of(learning=learning, forgetting=True))
        assert load_catalogue(path).compile().retention.idle_ms == IDLE
        path.write_text(catalogue_of(learning=learning))
        assert load_catalogue(path).compile().retention is None
