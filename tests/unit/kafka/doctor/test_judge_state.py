"""How the state lies, and what becomes of events elsewhere: each illness and its remedy."""

from __future__ import annotations

from typing import Any

import pytest

from stream_app.engine.changelog import Meta
from stream_app.kafka.doctor import judge_state
from stream_app.kafka.doctor.facts import Refusals
from stream_app.kafka.topics import Found


def meta(partitions: int = 4, busy: str = "") -> Meta:
    return Meta(next={}, time=1, layout="", strings=0, partitions=partitions, busy=busy)


def told(findings: Any) -> list[tuple[str, str, str]]:
    return [(one.state.value, one.text, one.remedy) for one in findings]


def test_a_state_that_is_whole_and_one_that_is_not_there() -> None:
    whole = {0: meta(), 1: None, 2: meta(0)}
    assert [state for state, *_ in told(judge_state.state(whole, 4))] == ["ok"]
    assert told(judge_state.state({0: None}, 4)) == []


def test_a_command_that_was_broken_off_is_named_with_where() -> None:
    command = "stream-app repartition --to 4 --apply"
    half = {0: meta(4, command), 1: meta(4, command), 2: meta()}
    [(state, text, remedy)] = told(judge_state.state(half, 4))
    assert state == "problem"
    assert text.startswith(f"partition 0, 1: `{command}` has begun and not ended")
    assert "run it again" in remedy


@pytest.mark.parametrize(("wanted", "moves"), [(8, True), (3, False)])
def test_another_number_than_the_settings_say(wanted: int, moves: bool) -> None:
    [(state, text, remedy)] = told(judge_state.state({0: meta(), 1: None}, wanted))
    assert state == "problem"
    assert f"over 4 partitions, STREAM_APP_PARTITIONS says {wanted}" in text
    assert remedy.startswith("set STREAM_APP_PARTITIONS=4")
    assert (f"repartition --to {wanted} --apply" in remedy) == moves


def test_inputs_of_other_counts_are_told_unless_a_multiple() -> None:
    found = told(judge_state.inputs({"clicks": 3, "purchases": 8}, 4))
    assert [(state, text[:20]) for state, text, _ in found] == [("ok", "clicks: 3 partitions")]


def routed(route: str = "auto", purge_s: float = 60, **config: str) -> list[tuple[str, str, str]]:
    there = Found(4, 1, {name.replace("_", "."): value for name, value in config.items()})
    return told(judge_state.routed("r", there, route, purge_s))


def test_routed_events_are_kept_until_they_have_arrived_and_no_longer() -> None:
    assert routed(retention_ms="-1", retention_bytes="-1") == []
    [(state, text, remedy)] = routed(retention_ms="604800000")
    assert (state, "have not arrived" in text) == ("warning", True)
    assert remedy.endswith("--entity-name r --add-config retention.ms=-1")
    [(state, _, remedy)] = routed(retention_ms="-1", purge_s=0)
    assert (state, "STREAM_APP_ROUTED_PURGE_S" in remedy) == ("warning", True)
    # Then age deletes what has arrived, too.
    assert len(routed(retention_ms="604800000", purge_s=0)) == 1
    assert [state for state, *_ in routed("never", retention_ms="-1")] == ["ok"]


def test_events_refused_as_misplaced_have_another_remedy_with_and_without_routing() -> None:
    some = Refusals({"misrouted": 1_200, "empty": 1}, 10_000)
    assert told(judge_state.misrouted(Refusals({"empty": 1}, 10), "never")) == []
    [(state, text, remedy)] = told(judge_state.misrouted(some, "never"))
    assert (state, text[:12]) == ("warning", "1,200 events")
    assert remedy.startswith("set it to auto")
    [(state, _, remedy)] = told(judge_state.misrouted(some, "auto"))
    assert (state, "same STREAM_APP_PARTITIONS" in remedy) == ("warning", True)
