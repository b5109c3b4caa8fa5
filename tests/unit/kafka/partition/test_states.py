"""The table in the docstring and the transitions in the code say the same."""

from __future__ import annotations

import pytest

from stream_app.kafka.partition import states
from stream_app.kafka.partition.states import TRANSITIONS, IllegalTransition, State, check


def table() -> dict[State, set[State]]:
    rows = [
        line.strip().strip("|").split("|") for line in states.__doc__.splitlines() if "|" in line
    ]
    names = {state.value for state in State}
    return {
        State(cells[0].strip()): {State(c.strip()) for c in cells[1:] if c.strip() in names}
        for cells in rows
        if cells[0].strip() in names
    }


def test_the_table_names_every_transition() -> None:
    for state, following in table().items():
        assert following - {state} == set(TRANSITIONS[state]) - {state}, state


@pytest.mark.parametrize("state", list(State))
def test_nothing_leaves_dead(state: State) -> None:
    with pytest.raises(IllegalTransition):
        check(State.DEAD, state)


def test_a_parked_task_goes_on() -> None:
    assert check(State.PARKED, State.RUNNING) is State.RUNNING
