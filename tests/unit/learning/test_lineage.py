"""What becomes of segments: MONIC's transitions, and ids that are never reused."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stream_app.learning.lineage import SURVIVES, Transition, first_ids, follow

OVERLAPS = hnp.arrays(
    np.int64, st.tuples(st.integers(1, 6), st.integers(1, 6)), elements=st.integers(0, 50)
)


def fates(overlap, before=("s1", "s2"), issued=2):
    lineage = follow(before, np.array(overlap), issued)
    return lineage.ids, set(lineage.transitions)


def test_the_first_are_born():
    assert first_ids(2).ids == ("s1", "s2")
    assert first_ids(2).transitions[1] == Transition("born", (), ("s2",))


def test_those_that_stay_survive_in_whatever_order():
    ids, found = fates([[3, 90], [80, 4]])
    assert ids == ("s2", "s1")
    assert found == {Transition("survived", (s,), (s,)) for s in ids}


def test_a_split():
    ids, found = fates([[60, 40, 0], [0, 0, 99]])
    assert ids == ("s1", "s3", "s2")
    assert found == {
        Transition("split", ("s1",), ("s1", "s3")),
        Transition("survived", ("s2",), ("s2",)),
    }


def test_a_merger():
    ids, found = fates([[60], [40]])
    assert ids == ("s1",)
    assert found == {Transition("merged", ("s1", "s2"), ("s1",))}


def test_a_birth_and_a_death():
    ids, found = fates([[90, 0], [0, 0]])
    assert ids == ("s1", "s3")
    assert found == {
        Transition("survived", ("s1",), ("s1",)),
        Transition("died", ("s2",), ()),
        Transition("born", (), ("s3",)),
    }


def test_one_that_goes_on_did_not_merge_into_its_neighbour():
    ids, found = fates([[1, 1], [2, 0]])
    assert ids == ("s2", "s1")
    assert found == {Transition("survived", (s,), (s,)) for s in ids}


@given(OVERLAPS, st.integers(6, 99))
def test_every_segment_has_a_fate_and_no_id_comes_back(overlap, issued):
    before = tuple(f"s{i + 1}" for i in range(len(overlap)))
    lineage = follow(before, overlap, issued)
    assert len(set(lineage.ids)) == len(lineage.ids) == overlap.shape[1]
    new = [name for name in lineage.ids if name not in before]
    assert [int(name[1:]) for name in new] == list(range(issued + 1, lineage.issued + 1))
    assert {name for t in lineage.transitions for name in t.before} == set(before)
    assert {name for t in lineage.transitions for name in t.after} == set(lineage.ids)
    for t in lineage.transitions:
        assert len(t.before) > 1 if t.fate == "merged" else len(t.before) <= 1
        assert len(t.after) > 1 if t.fate == "split" else len(t.after) <= 1
        if t.fate == "survived":
            assert t.before == t.after


@given(OVERLAPS, st.randoms())
def test_what_more_than_half_agrees_on_survives_in_any_order_of_the_new(overlap, random):
    before = tuple(f"s{i + 1}" for i in range(len(overlap)))
    order = list(range(overlap.shape[1]))
    random.shuffle(order)
    plain, shuffled = (follow(before, overlap[:, o], 9).ids for o in (slice(None), order))
    union = overlap.sum(1)[:, None] + overlap.sum(0) - overlap
    assert SURVIVES < 0.5
    for i, j in np.argwhere(overlap * 2 > union):
        assert plain[j] == before[i]
        assert shuffled[order.index(j)] == before[i]
