"""What the doctor makes of what was seen: data in, findings out."""

from __future__ import annotations

from stream_app.kafka.client.acls import rights
from stream_app.kafka.doctor import judge
from stream_app.kafka.doctor.facts import (
    Broker,
    Group,
    Port,
    Replicas,
    operations,
)
from stream_app.kafka.doctor.findings import Finding, State, healthy
from stream_app.kafka.topics import Found, TopicPlan, compare, topic_specs
from stream_app.settings import Settings

SPECS = topic_specs(TopicPlan("shop"))
THERE = {
    spec.name: Found(4, 1, {"cleanup.policy": spec.policy, "max.message.bytes": "9999999"})
    for spec in SPECS
}


def states(findings) -> list[str]:
    return [finding.state.value for finding in findings]


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
    assert "kafka-configs.sh --bootstrap-server" in bad_policy.text
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
