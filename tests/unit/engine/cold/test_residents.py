"""Who leaves memory is who has not been used for longest; not all at once where room shrinks."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from support.partition import program
from support.shelves import FakeShelf

from stream_app.engine.cold import rows
from stream_app.engine.cold.profiles import ColdProfiles
from stream_app.engine.cold.residents import Residents
from stream_app.engine.cold.room import Room

USERS = st.lists(st.integers(0, 11), min_size=1, max_size=5, unique=True)


@given(st.lists(st.tuples(USERS, st.booleans()), max_size=25), st.integers(1, 6), st.integers(0, 4))
def test_those_who_leave_were_used_before_those_who_stay(rounds, room, spare):
    residents, used = Residents(), {}
    residents.known(12)
    for users, forgotten in rounds:
        residents.round += 1
        if residents.count > room:
            leaving = residents.oldest(residents.count - room, spare)
            assert len(leaving) == len(set(leaving.tolist())) == residents.count - room
            gone = residents.number(leaving).tolist()
            residents.leave(leaving)
            left = [used.pop(user) for user in gone]
            assert max(left) <= min(used.values())
        new = np.array([user for user in users if user not in used], dtype=np.intp)
        residents.enter(new, [f"u{user}" for user in new.tolist()])
        residents.use(residents.places(np.array(users)))
        used |= dict.fromkeys(users, residents.round)
        if forgotten:
            residents.leave(residents.places(np.array(users[:1])))
            del used[users[0]]


def put(profiles: ColdProfiles, *users: str) -> None:
    profiles.put(users, profiles.program.layout.blank(len(users)))


def test_room_that_shrinks_is_left_a_few_rows_at_a_time():
    room, shelf = Room(100), FakeShelf()
    profiles = ColdProfiles(program(), 0, 1, shelf, room)
    put(profiles, *(f"u{n}" for n in range(100)))
    assert profiles.resident == 100
    # Three more partitions come to the worker.
    for _ in range(3):
        room.enter()
    counts = []
    with patch.object(rows, "_MORE", 20):
        for n in range(6):
            put(profiles, f"new{n}a", f"new{n}b")
            counts.append(profiles.resident)
    assert counts == [80, 60, 40, 25, 25, 25]
    assert max(map(len, shelf.batches)) == 22
    assert len(profiles) == 112
