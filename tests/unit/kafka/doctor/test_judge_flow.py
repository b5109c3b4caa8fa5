"""What the doctor makes of offsets, times and dead letters: data in, findings out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stream_app.engine.changelog import Meta
from stream_app.kafka.doctor import judge_flow
from stream_app.kafka.doctor.facts import (
    Input,
    Partition,
    Refusals,
)
from stream_app.kafka.doctor.findings import Finding, State

NOW = 1_700_000_000_000
MINUTE = 60_000
HOUR = 60 * MINUTE
META = Meta(next={"clicks": 90, "purchases": 10}, time=NOW, layout="", strings=0, revision="abc")
PARTITION = Partition(
    0, META, NOW - 1_000, {"clicks": Input("c", 0, 90, 90), "purchases": Input("p", 0, 10, 10)}
)


def states(findings) -> list[str]:
    return [finding.state.value for finding in findings]


def lag(*partitions: Partition) -> list[Finding]:
    return [*judge_flow.lag(partitions, NOW, stall_ms=MINUTE, many=50, app_id="shop")]


def clicks(end: int, *, first: int = 0, group: int = 90) -> dict[str, Input]:
    return {**PARTITION.inputs, "clicks": Input("c", first, end, group)}


@pytest.mark.parametrize(
    ("newest", "state"),
    [
        (None, "ok"),
        (NOW - HOUR, "ok"),
        (NOW + 1_999, "ok"),
        (NOW + 2_001, "warning"),
        (NOW + MINUTE + 1, "problem"),
    ],
)
def test_a_clock_is_seen_to_be_ahead_only(newest, state):
    found = judge_flow.clock(
        [replace(PARTITION, newest=newest), replace(PARTITION, newest=None)], NOW
    )
    assert found.state == state


def test_lag_is_counted_from_the_changelog_whatever_the_group_says():
    assert lag(PARTITION)[0].text == "0 records of all inputs wait"
    (found,) = lag(replace(PARTITION, inputs=clicks(120, group=0)))
    assert (found.state, found.text) == ("ok", "30 records of all inputs wait")
    ahead = lag(replace(PARTITION, inputs=clicks(120, group=100)))
    assert states(ahead) == ["warning", "ok"]
    assert "group shop says 100, the changelog says 90" in ahead[0].text


def test_lag_that_is_large_is_a_warning_and_one_that_stands_still_a_problem():
    assert states(lag(replace(PARTITION, inputs=clicks(141)))) == ["warning"]
    still = replace(PARTITION, inputs=clicks(91), newest=NOW - MINUTE - 1)
    (found,) = lag(still)
    assert found.state is State.PROBLEM
    assert "c partition 0: 1 records wait, and nothing was committed for 60.0 s" in found.text
    # Nothing waits, so nothing has to move.
    assert states(lag(replace(PARTITION, newest=NOW - HOUR))) == ["ok"]


def test_offsets_that_an_input_does_not_have_are_a_problem_as_at_a_start():
    gap = lag(replace(PARTITION, inputs=clicks(200, first=95)))
    assert states(gap) == ["problem"]
    assert "deleted 5 events unread" in gap[0].text
    assert "made anew" in lag(replace(PARTITION, inputs=clicks(3)))[0].text


def test_a_partition_that_has_committed_nothing_is_told():
    (found,) = lag(replace(PARTITION, meta=None, newest=None))
    assert found.state is State.WARNING
    assert "nothing is committed yet on partition 0; 100 records" in found.text


def times(at: int, clock: str = "wall") -> list[str]:
    partition = replace(PARTITION, meta=Meta({}, at, "", 0))
    return states(judge_flow.times([partition], NOW, clock, 5 * MINUTE))


def test_partition_time_keeps_up_with_the_wall_and_never_runs_ahead():
    assert times(NOW - HOUR) == ["ok"]
    assert times(NOW - 3 * HOUR) == ["warning"]
    assert times(NOW - 3 * HOUR, "event") == ["ok"]
    assert times(NOW + 4 * MINUTE) == ["ok"]
    assert times(NOW + 6 * MINUTE, "event") == ["problem"]
    assert times(0) == []


@pytest.mark.parametrize(
    ("count", "events", "state"),
    [
        (0, 0, "ok"),
        (1, 100, "ok"),
        (2, 100, "warning"),
        (51, 100, "problem"),
        # More than came by their records' times: history is read, and no share can be told.
        (5, 1, "warning"),
    ],
)
def test_dead_letters_are_judged_by_their_share(count, events, state):
    found = judge_flow.refusals(Refusals({"invalid": count} if count else {}, events), 0.5)
    assert found.state == state
    assert ("%" in found.text) == (0 < count <= events)


def test_the_largest_reasons_come_first_and_more_is_said():
    found = judge_flow.refusals(Refusals({"a": 1, "b": 3, "c": 2, "d": 1}, 10, more=True), 0.9)
    assert "at least 7 in the last hour (b 3, c 2, a 1)" in found.text


def test_a_catalogue_is_that_of_the_workers():
    same = judge_flow.catalogue("abc", [PARTITION])
    assert (same.state, same.text) == (State.OK, "valid; revision abc, as workers use")
    fresh = judge_flow.catalogue("abc", [replace(PARTITION, meta=None)])
    assert fresh.text == "valid; revision abc; nobody was decided by it yet"
    # Users are being decided anew.
    anew = replace(PARTITION, meta=Meta({}, 1, "", 0, revision=""))
    assert judge_flow.catalogue("new", [anew]).state is State.OK
    other = judge_flow.catalogue("new", [PARTITION, replace(PARTITION, number=3)])
    assert other.state is State.WARNING
    assert "partition 0, 3 by abc" in other.text
