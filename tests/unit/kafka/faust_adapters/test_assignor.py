"""Inputs follow the changelog, whatever their partitions and whoever subscribed to them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.coordinator.protocol import ConsumerProtocolMemberMetadata
from faust.assignor.client_assignment import ClientAssignment, ClientMetadata
from hypothesis import given
from hypothesis import strategies as st

from stream_app.kafka.faust_adapters.assignor import (
    AWAITED,
    READY,
    STANDBY,
    FollowingAssignor,
    following,
)

CHANGELOG = "app-profiles-changelog"


class Cluster:
    """A cluster's topics by their numbers of partitions."""

    def __init__(self, **counts: int) -> None:
        self._counts = {name.replace("_", "-"): count for name, count in counts.items()}

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        return set(range(self._counts[topic])) if topic in self._counts else None


class Member:
    """The assignor of one process, and of which partitions that has a copy that is ready."""

    def __init__(self, name: str, topics: list[str], replicas: int, ready: set[int] | None) -> None:
        tables = SimpleNamespace(changelog_topics={CHANGELOG}, data={})
        app: Any = SimpleNamespace(
            tables=tables,
            tracer=None,
            sensors=_Sensors(),
            standbys=SimpleNamespace(ready=ready),
            conf=SimpleNamespace(canonical_url=f"http://{name}"),
        )
        self.topics = topics
        self.assignor = FollowingAssignor(app, replicas)
        self.standbys = app.standbys


class Group:
    """Members by name; whoever is first in the alphabet leads."""

    def __init__(self, replicas: int = 0, **topics: list[str]) -> None:
        self._replicas = replicas
        self.members: dict[str, Member] = {}
        for name, subscribed in topics.items():
            self.join(name, subscribed)

    def join(self, name: str, topics: list[str], ready: set[int] | None = None) -> None:
        if ready is None and self._replicas:
            ready = set()
        self.members[name] = Member(name, topics, self._replicas, ready)

    def assign(self, cluster: Cluster) -> dict[str, dict[str, list[int]]]:
        """Active partitions by member and topic."""
        joining = {
            name: _received(member.assignor.metadata(set(member.topics)))
            for name, member in self.members.items()
        }
        found = {}
        leader = self.members[min(self.members)].assignor
        for name, assigned in leader.assign(cluster, joining).items():
            # Faust refuses an assignment that says otherwise than Kafka's.
            assignor = self.members[name].assignor
            assignor.on_assignment(assigned)
            assert assignor._topic_groups.keys() >= assignor._assignment.actives.keys()
            found[name] = dict(assignor._assignment.actives)
            assert not assignor.assigned_standbys() & {(CHANGELOG, n) for n in range(100)}, (
                "Faust would read what it takes for its own"
            )
        return found

    def leave(self, name: str) -> None:
        del self.members[name]

    def standing_by(self) -> dict[str, set[int]]:
        return {name: set(one.assignor.standing_by) for name, one in self.members.items()}

    def get_ready(self) -> None:
        """Everybody's copies are near the end."""
        for member in self.members.values():
            member.standbys.ready = set(member.assignor.standing_by)


def _received(metadata: ConsumerProtocolMemberMetadata) -> ConsumerProtocolMemberMetadata:
    """As the leader gets it."""
    return ConsumerProtocolMemberMetadata.decode(metadata.encode())


class _Sensors:
    def __getattr__(self, name: str) -> Any:
        return lambda *args: None


TOPICS = ["clicks", "purchases", "routed", CHANGELOG]
EVEN = Cluster(clicks=6, purchases=6, routed=6, app_profiles_changelog=6)


def test_who_holds_the_changelog_reads_what_its_task_reads():
    group = Group(a=TOPICS, b=TOPICS)
    cluster = Cluster(clicks=3, purchases=9, routed=4, app_profiles_changelog=4)
    found = group.assign(cluster)
    held = {name: set(topics[CHANGELOG]) for name, topics in found.items()}
    assert sorted(map(len, held.values())) == [2, 2]
    for name, topics in found.items():
        assert set(topics["routed"]) == held[name]
        assert topics["clicks"] == sorted(s for s in range(3) if s % 4 in held[name])
        assert topics["purchases"] == sorted(s for s in range(9) if s % 4 in held[name])


def test_little_moves_when_a_member_leaves():
    group = Group(a=TOPICS, b=TOPICS, c=TOPICS)
    cluster = Cluster(clicks=3, purchases=6, routed=6, app_profiles_changelog=6)
    before = group.assign(cluster)
    group.leave("c")
    after = group.assign(cluster)
    for name in "ab":
        assert set(after[name][CHANGELOG]) >= set(before[name][CHANGELOG])


def test_a_member_of_an_older_version_gets_nothing_of_a_topic_it_does_not_know():
    group = Group(old=[topic for topic in TOPICS if topic != "routed"], new=TOPICS)
    cluster = Cluster(clicks=4, purchases=4, routed=4, app_profiles_changelog=4)
    found = group.assign(cluster)
    assert "routed" not in found["old"]
    assert set(found["new"]["routed"]) == set(found["new"][CHANGELOG])
    for topics in found.values():
        assert set(topics["clicks"]) == set(topics[CHANGELOG])


@pytest.mark.parametrize("missing", ["clicks", "app_profiles_changelog"])
def test_topics_that_are_not_there_yet_are_nobodys(missing):
    counts = {"clicks": 4, "purchases": 4, "routed": 4, "app_profiles_changelog": 4}
    del counts[missing]
    found = Group(a=TOPICS).assign(Cluster(**counts))["a"]
    assert not found.get(missing.replace("_", "-"))


def test_a_changelog_made_anew_with_fewer_partitions_is_shared_anew():
    group = Group(replicas=1, a=TOPICS, b=TOPICS)
    group.assign(EVEN)
    found = group.assign(Cluster(clicks=2, purchases=2, routed=2, app_profiles_changelog=2))
    assert sorted(n for topics in found.values() for n in topics[CHANGELOG]) == [0, 1]


def test_who_dies_is_followed_by_who_stood_by():
    group = Group(replicas=1, a=TOPICS, b=TOPICS, c=TOPICS)
    lost = group.assign(EVEN)["a"][CHANGELOG]
    group.get_ready()
    stood = {n: name for name, numbers in group.standing_by().items() for n in numbers}
    group.leave("a")
    after = group.assign(EVEN)
    for number in lost:
        assert number in after[stood[number]][CHANGELOG]
        assert number in after[stood[number]]["clicks"]
    # What is owned now has a copy at the other again.
    for name, other in (("b", "c"), ("c", "b")):
        assert group.standing_by()[other] == set(after[name][CHANGELOG])


def test_a_worker_that_is_started_again_gets_its_partitions_when_it_is_ready():
    group = Group(replicas=1, a=TOPICS, b=TOPICS)
    lost = set(group.assign(EVEN)["a"][CHANGELOG])
    group.get_ready()
    group.leave("a")
    group.join("a2", TOPICS)
    assert set(group.assign(EVEN)["b"][CHANGELOG]) == set(range(6))
    awaited = group.members["a2"].assignor.awaited
    assert len(awaited) == len(lost)
    assert awaited <= group.standing_by()["a2"]
    group.members["a2"].standbys.ready = set(awaited)
    assert set(group.assign(EVEN)["a2"][CHANGELOG]) == awaited
    assert not any(member.assignor.awaited for member in group.members.values())


def test_a_member_that_keeps_no_copies_gets_partitions_at_once_and_stands_by_for_none():
    group = Group(replicas=1, a=TOPICS, b=TOPICS)
    group.assign(EVEN)
    group.get_ready()
    group.join("old", TOPICS)
    group.members["old"].standbys.ready = None
    found = group.assign(EVEN)
    assert len(found["old"][CHANGELOG]) == 2
    assert not group.standing_by()["old"]


def test_what_is_told_beside_the_assignment_has_names_that_no_topic_has():
    assert {name[0] for name in (STANDBY, AWAITED, READY)} == {":"}
    member = Member("a", TOPICS, 1, {3})
    told = ClientMetadata.loads(member.assignor.metadata(set(TOPICS)).user_data)
    assert told.assignment.standbys[READY] == [3]
    assert member.assignor._assignment == ClientAssignment(actives={}, standbys={})


@given(st.integers(1, 8), st.integers(0, 20), st.data())
def test_partitions_are_split_among_the_tasks(tasks, count, data):
    owners = data.draw(st.lists(st.integers(0, 2), min_size=tasks, max_size=tasks))
    parts = [[n for n, owner in enumerate(owners) if owner == one] for one in range(3)]
    read = [one for held in parts for one in following(held, tasks, {"t": count})["t"]]
    assert sorted(read) == list(range(count))
