"""Lives by the order in which events come, against going through all orders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from chaos.inputs import Event
from chaos.lives import Life, Retention, new_to, outcomes
from hypothesis import event, given
from hypothesis import strategies as st

IDLE = 10
LOGS = st.lists(st.lists(st.integers(1, 60), max_size=3), max_size=3).map(
    lambda logs: [
        [Event(i, 0, "ann", f"{n}-{i}", at, at) for i, at in enumerate(log)]
        for n, log in enumerate(logs)
    ]
)
LIVES = st.one_of(
    st.just(Life()),
    st.integers(1, 60).map(lambda at: Life(3, 7, at, {(0, "before")})),
)


def orders(logs: Sequence[Sequence[Event]]) -> Iterator[list[Event]]:
    """All orders in which events may come, each log in its own."""
    if not any(logs):
        yield []
    for n, log in enumerate(logs):
        if log:
            rest = [log[1:] if i == n else one for i, one in enumerate(logs)]
            yield from ([log[0], *order] for order in orders(rest))


def one_by_one(life: Life, order: Sequence[Event], now: int) -> tuple[bool, int, int, int]:
    over, begun = False, 0
    for come in order:
        if life.events and come.at >= max(life.last, begun) + IDLE:
            over, life = True, Life()
        if not life.events:
            begun = now - IDLE
        life = life.after([come])
    return over, *life.counted, life.last


@given(LIVES, LOGS, st.integers(0, 80))
def test_a_life_is_what_some_order_makes_of_it(
    life: Life, logs: list[list[Event]], now: int
) -> None:
    answers = outcomes(life, logs, Retention(IDLE), now)
    found = {(over, *one.counted, one.last) for over, one in answers}
    wanted = {one_by_one(life, order, now) for order in orders(logs)}
    event(f"{len(wanted)} answers")
    assert found == wanted


def test_a_repeat_is_new_where_its_user_was_forgotten() -> None:
    once = Event(0, 0, "ann", "a", 5, 0)
    life = Life().after([once])
    assert new_to(life, [[once, once._replace(offset=1)]]) == [[]]
    assert new_to(Life(), [[once, once._replace(offset=1)]]) == [[once]]
    assert new_to(life, [[once._replace(topic=1)]]) == [[once._replace(topic=1)]]
