"""Partitions and standbys are even, little moves, and nothing moves to who is not ready."""

from __future__ import annotations

from collections.abc import Collection

from hypothesis import given, settings
from hypothesis import strategies as st

from stream_app.kafka.faust_adapters.placing import Member, Share, place

Shares = dict[str, Share]


def joined(
    shares: Shares,
    gone: Collection[str] = (),
    new: Collection[str] = (),
    *,
    ready: bool = True,
) -> dict[str, Member]:
    """What members tell who had `shares`; their copies are all ready, or none is."""
    told = {
        name: Member(
            frozenset(had.active), frozenset(had.standby), frozenset(had.standby if ready else ())
        )
        for name, had in shares.items()
        if name not in gone
    }
    return told | {name: Member(ready=frozenset()) for name in new}


def owners(shares: Shares) -> dict[int, str]:
    return {number: name for name, share in shares.items() for number in share.active}


def spread(sizes: Collection[int]) -> int:
    return max(sizes) - min(sizes)


Change = tuple[int, bool, bool]


@st.composite
def histories(draw: st.DrawFn) -> tuple[int, int, Shares]:
    """Partitions, replicas, and what members of a group had after some came and some died."""
    partitions, replicas = draw(st.integers(1, 14)), draw(st.integers(0, 2))
    shares = place(
        joined({}, new=[f"m{n}" for n in range(draw(st.integers(1, 5)))]), partitions, replicas
    )
    changes: list[Change] = draw(
        st.lists(st.tuples(st.integers(0, 5), st.booleans(), st.booleans()), max_size=6)
    )
    for count, (which, dies, ready) in enumerate(changes):
        names = sorted(shares)
        gone = [names[which % len(names)]] if dies and len(names) > 1 else []
        new = [] if dies else [f"n{count}"]
        shares = place(joined(shares, gone, new, ready=ready), partitions, replicas)
    return partitions, replicas, shares


@given(histories())
def test_every_partition_has_one_owner_and_as_many_standbys_as_there_can_be(history):
    partitions, replicas, shares = history
    assert sorted(n for share in shares.values() for n in share.active) == list(range(partitions))
    for number, owner in owners(shares).items():
        stand = {name for name, share in shares.items() if number in share.standby}
        await_it = {name for name, share in shares.items() if number in share.awaited}
        assert owner not in stand
        assert await_it <= stand
        wanted = min(replicas, len(shares) - 1)
        assert wanted <= len(stand) <= wanted + len(await_it)


@given(histories())
@settings(max_examples=200)
def test_it_comes_to_rest_evenly_as_copies_get_ready(history):
    partitions, replicas, shares = history
    for _ in range(3):
        if any(share.awaited for share in shares.values()):
            shares = place(joined(shares), partitions, replicas)
    assert not any(share.awaited for share in shares.values())
    assert spread([len(share.active) for share in shares.values()]) <= 1
    assert spread([len(share.standby) for share in shares.values()]) <= 1
    assert place(joined(shares), partitions, replicas) == shares
    backwards = dict(reversed(joined(shares).items()))
    assert place(backwards, partitions, replicas) == shares


@given(histories(), st.integers(0, 5))
def test_who_dies_moves_nothing_of_the_others_and_goes_to_a_copy(history, which):
    partitions, replicas, shares = history
    for _ in range(3):
        shares = place(joined(shares), partitions, replicas)
    dead = sorted(shares)[which % len(shares)]
    if len(shares) == 1:
        return
    after = owners(place(joined(shares, [dead]), partitions, replicas))
    for number, owner in owners(shares).items():
        if owner != dead:
            assert after[number] == owner
        elif replicas:
            assert number in shares[after[number]].standby


@given(histories())
def test_nothing_moves_to_a_new_member_that_has_no_copy_yet(history):
    partitions, replicas, shares = history
    after = place(joined(shares, new=["new"]), partitions, replicas)
    if replicas:
        assert not after["new"].active
        assert len(after["new"].awaited) == partitions // len(after)
    else:
        assert len(after["new"].active) == partitions // len(after)


def test_a_copy_that_is_far_behind_is_no_reason_to_wait():
    before = {
        "a": Member(standby=frozenset({0, 1}), ready=frozenset()),
        "b": Member(ready=frozenset()),
    }
    placed = place(before, 2, 1)
    assert not any(share.awaited for share in placed.values())
    assert [len(share.active) for share in placed.values()] == [1, 1]


def test_who_claims_what_another_has_gets_it_once():
    both = {name: Member(frozenset({0, 1}), ready=frozenset()) for name in "ab"}
    placed = place(both, 2, 1)
    assert sorted(owners(placed)) == [0, 1]
    assert [len(share.active) for share in placed.values()] == [1, 1]
