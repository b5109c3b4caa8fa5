"""When a position that stands beyond what was folded is looked into."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stream_app.kafka.input_topics.passed import Passed

looks = st.tuples(st.integers(0, 3), st.integers(0, 3), st.booleans())


@given(st.lists(looks))
def test_each_place_is_read_again_at_most_once_in_a_row_and_only_at_rest(
    told: list[tuple[int, int, bool]],
) -> None:
    passed, before, again = Passed(1), None, None
    for following, beyond, resting in told:
        here = (following, following + beyond) if resting and beyond else None
        found = passed.look(0, following, following + beyond, resting=resting)
        assert found == (here is not None and here == before and here != again)
        again = here if found else again
        before = here


def test_inputs_are_told_apart() -> None:
    passed = Passed(2)
    assert [passed.look(0, 1, 3, resting=True) for _ in range(3)] == [False, True, False]
    assert not passed.look(1, 1, 3, resting=True)
    assert passed.missed(0, 2)
    assert not passed.missed(0, 3)
    assert not passed.missed(1, 2)


def test_a_gap_is_doubted_until_reading_has_come_back() -> None:
    passed = Passed(1)
    for _ in range(2):
        passed.look(0, 1, 3, resting=True)
    assert passed.doubts(0, 1)
    assert not passed.doubts(0, 2)
    # On its way again, then back.
    passed.look(0, 1, 1, resting=True)
    assert passed.doubts(0, 1)
    for _ in range(2):
        passed.look(0, 1, 3, resting=True)
    assert not passed.doubts(0, 1)
