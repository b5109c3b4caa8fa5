"""Inputs follow the changelog, whatever their partitions and whoever subscribed to them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.coordinator.protocol import ConsumerProtocolMemberMetadata
from faust.assignor.client_assignment import ClientAssignment, ClientMetadata
from hypothesis import given
from hypothesis import strategies as st

from stream_app.kafka.assignor import FollowingAssignor, following

CHANGELOG = "app-profiles-changelog"


class Cluster:
    """A cluster's topics by their numbers of partitions."""

    def __init__(self, **counts: int) -> None:
        self._counts = {name.replace("_", "-"): count for name, count in counts.items()}

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        return set(range(self._counts[topic])) if topic in self._counts else None


class Group:
    """Members by name, what each subscribed to and what it was assigned last."""

    def __init__(self, **subscriptions: list[str]) -> None:
        tables = SimpleNamespace(changelog_topics={CHANGELOG}, data={})
        app: Any = SimpleNamespace(tables=tables, tracer=None, sensors=_Sensors())
        self._assignor = FollowingAssignor(app)
        self._subscriptions = subscriptions
        self._last: dict[str, ClientAssignment] = {}

    def assign(self, cluster: Cluster) -> dict[str, dict[str, list[int]]]:
        """Active partitions by member and topic."""
        members = {
            name: ConsumerProtocolMemberMetadata(4, topics, self._metadata(name).dumps())
            for name, topics in self._subscriptions.items()
        }
        found = {}
        for name, assigned in self._assignor.assign(cluster, members).items():
            told = ClientMetadata.loads(FollowingAssignor._decompress(assigned.user_data))
            self._last[name] = told.assignment
            # Faust refuses an assignment that says otherwise than Kafka's.
            assert sorted(assigned.assignment) == sorted(told.assignment.actives.items())
            assert told.topic_groups.keys() >= told.assignment.actives.keys()
            found[name] = dict(told.assignment.actives)
        return found

    def leave(self, name: str) -> None:
        del self._subscriptions[name], self._last[name]

    def _metadata(self, name: str) -> ClientMetadata:
        last = self._last.get(name, ClientAssignment(actives={}, standbys={}))
        return ClientMetadata(last, f"http://{name}", {}, {}, {})


class _Sensors:
    def __getattr__(self, name: str) -> Any:
        return lambda *args: None


TOPICS = ["clicks", "purchases", "routed", CHANGELOG]


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


@given(st.integers(1, 8), st.integers(0, 20), st.data())
def test_partitions_are_split_among_the_tasks(tasks, count, data):
    owners = data.draw(st.lists(st.integers(0, 2), min_size=tasks, max_size=tasks))
    parts = [[n for n, owner in enumerate(owners) if owner == one] for one in range(3)]
    read = [one for held in parts for one in following(held, tasks, {"t": count})["t"]]
    assert sorted(read) == list(range(count))
