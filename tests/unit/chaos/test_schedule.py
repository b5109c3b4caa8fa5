"""Laws of drawn schedules."""

from __future__ import annotations

from collections import defaultdict

from chaos.schedule import (
    BROKER,
    CLOCK,
    CLUSTER,
    DISK,
    NETWORK,
    PAUSE,
    PROGRAM,
    TARGETS,
    Kind,
    draw,
    shown,
    traits,
)
from hypothesis import given
from hypothesis import strategies as st

KINDS = (*PROGRAM, *BROKER, *NETWORK, *DISK, *CLOCK)
seeds = st.integers(0, 2**32)
lengths = st.floats(0, 900)


@given(seeds, lengths, st.sampled_from([KINDS, (*PROGRAM, *CLUSTER, *NETWORK)]))
def test_every_kind_occurs_however_short(
    seed: int, seconds: float, kinds: tuple[Kind, ...]
) -> None:
    faults = draw(seed, seconds, kinds)
    assert {fault.kind for fault in faults} == {kind.name for kind in kinds}


@given(seeds, lengths)
def test_a_seed_says_it_all(seed: int, seconds: float) -> None:
    assert draw(seed, seconds, KINDS) == draw(seed, seconds, KINDS)
    assert shown(seed, draw(seed, seconds, KINDS)).count("\n") == len(draw(seed, seconds, KINDS))


@given(seeds)
def test_another_seed_is_another_schedule(seed: int) -> None:
    assert draw(seed, 60, KINDS) != draw(seed + 1, 60, KINDS)


@given(seeds, lengths)
def test_faults_of_a_lane_follow_one_another_and_last_as_declared(
    seed: int, seconds: float
) -> None:
    faults = draw(seed, seconds, KINDS)
    declared = {kind.name: kind for kind in KINDS}
    assert faults == sorted(faults)
    free: defaultdict[str, float] = defaultdict(float)
    for fault in faults:
        kind = declared[fault.kind]
        assert kind.least <= fault.lasts <= kind.most
        assert 0 <= fault.target < TARGETS
        # Times are rounded to a tenth of a second.
        assert fault.at >= free[kind.lane] + PAUSE[0] - 0.11
        free[kind.lane] = fault.at + fault.lasts
    assert min(free.values()) >= seconds - PAUSE[1] - 0.11


def test_a_longer_run_begins_like_a_shorter_one() -> None:
    short, long = draw(7, 60, PROGRAM), draw(7, 600, PROGRAM)
    assert [fault for fault in long if fault in short] == short


@given(seeds)
def test_a_run_has_a_trait_at_least_and_says_which(seed: int) -> None:
    drawn = traits(seed)
    assert drawn == traits(seed)
    assert str(drawn)
    assert drawn.anyhow or drawn.cold or drawn.to
    assert bool(drawn.clicks) == drawn.anyhow


def test_traits_come_alone_and_together() -> None:
    drawn = [traits(seed) for seed in range(100)]
    assert len({(one.anyhow, bool(one.cold), bool(one.to)) for one in drawn}) == 7
    assert {one.cold for one in drawn} == {"", "kept", "lost"}
    assert {one.standbys for one in drawn} == {0, 1}
