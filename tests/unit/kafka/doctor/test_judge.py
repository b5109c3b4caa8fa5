"""What the doctor makes of what was seen: data in, findings out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stream_app.engine.changelog import Meta
from stream_app.kafka.acls import rights
from stream_app.kafka.doctor import judge, judge_flow
from stream_app.kafka.doctor.facts import (
    Broker,
    Group,
    Input,
    Partition,
    Port,
    Refusals,
    Replicas,
    operations,
)
from stream_app.kafka.doctor.findings import Finding, State, healthy
from stream_app.kafka.topics import Found, TopicPlan, compare, topic_specs
from stream_app.settings import Settings

NOW = 1_700_000_000_000
MINUTE = 60_000
HOUR = 60 * MINUTE
META = Meta(next={"clicks": 90, "purchases": 10}, time=NOW, layout="", strings=0, revision="abc")
PARTITION = Partition(
    0, META, NOW - 1_000, {"clicks": Input("c", 0, 90, 90), "purchases": Input("p", 0, 10, 10)}
)
SPECS = topic_specs(TopicPlan("shop"))
THERE = {
    spec.name: Found(4, 1, {"cleanup.policy": spec.policy, "max.message.bytes": "9999999"})
    for spec in SPECS
}


def states(findings) -> list[str]:
    return [finding.state.value for finding in findings]


def lag(*partitions: Partition) -> list[Finding]:
    return [*judge_flow.lag(partitions, NOW, stall_ms=MINUTE, many=50, app_id="shop")]


def clicks(end: int, *, first: int = 0, group: int = 90) -> dict[str, Input]:
    return {**PARTITION.inputs, "clicks": Input("c", first, end, group)}


def test_one_problem_is_not_healthy_and_warnings_are():
    fine, look, bad = (Finding("x", state, "") for state in State)
    assert healthy([fine, look])
    assert not healthy([fine, bad])


def test_a_broker_that_is_away_is_a_warning_while_another_answers():
    here, away = Broker("a:1", True), Broker("b:1", True, "nobody listens there")
    assert states(judge.brokers([here, away])) == ["ok", "warning"]
    assert states(judge.brokers([away])) == ["problem"]
    # What a broker calls itself has to be reachable: clients are sent there.
    assert states(judge.brokers([here, Broker("in:1", False, "no address")])) == ["ok", "problem"]


def test_topics_missing_misfit_without_leader_and_short_of_replicas():
    found = compare(SPECS, THERE)
    assert states(judge.topics(found, {})) == ["ok"] * len(SPECS)
    lacking = compare(SPECS, {n: f for n, f in THERE.items() if n != "tags"})
    bad = [one for one in judge.topics(lacking, {}) if one.state is State.PROBLEM]
    assert [(one.text, one.remedy) for one in bad] == [
        ("tags is missing", "`stream-app topics --apply` creates it")
    ]
    misfit = compare(SPECS, THERE | {"tags": Found(4, 1, {"cleanup.policy": "compact"})})
    (bad_policy,) = [one for one in judge.topics(misfit, {}) if one.state is State.PROBLEM]
    assert "kafka-configs.sh --alter" in bad_policy.text
    held = {"tags": Replicas(leaderless=(2,), below_min=(1, 2), out_of_sync=(1,))}
    told = [one for one in judge.topics(found, held) if one.text.startswith("tags")]
    assert states(told) == ["problem", "problem", "warning"]
    assert "no broker leads partition 2" in told[0].text


def test_rights_are_those_of_the_role_and_each_missing_one_is_told():
    wanted = [r for r in rights(Settings(app_id="shop"), learning=False) if r.role == "worker"]
    may = {(r.resource, r.name): frozenset(r.operations) for r in wanted}
    may["transactional-id", "shop-"] = frozenset({"Describe"})
    assert states(judge.rights(wanted, may)) == ["ok"]
    found = [*judge.rights(wanted, may | {("topic", "tags"): frozenset({"Describe"})})]
    assert states(found) == ["problem"]
    assert "may not DescribeConfigs and Write topic tags" in found[0].text
    assert "stream-app acls" in found[0].remedy
    assert states(judge.rights(wanted, may | {("transactional-id", "shop-"): frozenset()})) == [
        "problem"
    ]
    assert states(judge.rights(wanted, may | {("topic", "tags"): None})) == ["warning", "ok"]


def test_operations_of_a_bit_field():
    assert operations(0b1_0000_0000 | 0b1_1000) == {"Describe", "Read", "Write"}
    assert operations(-(2**31)) is None


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
    assert judge_flow.catalogue("abc", [PARTITION]).state is State.OK
    # Users are being decided anew.
    anew = replace(PARTITION, meta=Meta({}, 1, "", 0, revision=""))
    assert judge_flow.catalogue("new", [anew]).state is State.OK
    other = judge_flow.catalogue("new", [PARTITION, replace(PARTITION, number=3)])
    assert other.state is State.WARNING
    assert "partition 0, 3 by abc" in other.text


def test_a_group_has_members_is_empty_moves_or_may_not_be_seen():
    def state(**found) -> State:
        return judge.group(Group("shop", **found), "worker", "start one").state

    assert state(state="Stable", hosts=("h",)) is State.OK
    assert state(state="PreparingRebalance", hosts=("h",)) is State.WARNING
    assert state(state="Empty") is State.PROBLEM
    assert state(refused=True) is State.WARNING


def test_a_port_is_free_ready_not_ready_or_anothers():
    def found(status, *unmet: str) -> State:
        return judge.port(Port("h:1", status, unmet)).state

    assert [found(None), found(200), found(503, "x"), found(0)] == [
        State.OK,
        State.OK,
        State.WARNING,
        State.PROBLEM,
    ]
