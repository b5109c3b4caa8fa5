"""Who reads what: partitions of the inputs go where the changelog's partition is.

`placing` hands out the changelog, evenly and so that little moves; whoever holds its partition p
gets the inputs' partitions that task p reads. Of Faust's assignor stays how members tell what they
had and are told what they get.

What a member stands by for is told beside that, under names that no topic has: neither Kafka nor
Faust takes it for an assignment, nor does a worker of an older version.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from faust.assignor.client_assignment import ClientAssignment, ClientMetadata
from faust.assignor.partition_assignor import PartitionAssignor

from stream_app.kafka.faust_adapters.placing import Member, Share, place
from stream_app.kafka.input_topics.inputs import shares

#: Told to a member: what it stands by for, and of that what it is to own when it is ready.
STANDBY: Final = ":standby"
AWAITED: Final = ":awaited"
#: Told by a member: of what it has a copy (see `placing.Member.ready`).
READY: Final = ":ready"


class FollowingAssignor(PartitionAssignor):
    """Faust's assignor, with the changelog placed by `placing`, and inputs that follow it.

    A member that has not subscribed to a topic, as one of an older version, gets nothing of it.
    """

    @property
    def standing_by(self) -> frozenset[int]:
        """The partitions that this member stands by for."""
        return frozenset(self._assignment.standbys.get(STANDBY, ()))

    @property
    def awaited(self) -> frozenset[int]:
        """Those of them that it is to own as soon as it is ready and the group is told."""
        return frozenset(self._assignment.standbys.get(AWAITED, ()))

    @property
    def _metadata(self) -> ClientMetadata:
        told, ready = super()._metadata, self.app.standbys.ready
        if ready is not None:
            standbys = {**self._assignment.standbys, READY: sorted(ready)}
            told.assignment = ClientAssignment(self._assignment.actives, standbys)
        return told

    def _perform_assignment(self, cluster: Any, member_metadata: Any) -> Any:
        self._cluster = cluster
        self._subscribed = {
            member: set(metadata.subscription) for member, metadata in member_metadata.items()
        }
        self._before = {
            member: self._get_client_metadata(metadata).assignment
            for member, metadata in member_metadata.items()
        }
        return super()._perform_assignment(cluster, member_metadata)

    def _get_copartitioned_groups(self, topics: set[str], cluster: Any, subscriptions: Any) -> Any:
        # Faust finds nothing to hand out.
        return {}

    def _protocol_assignments(
        self, assignments: Any, cl_distribution: Any, tp_distribution: Any, topic_groups: Any
    ) -> Any:
        (changelog,) = self._table_manager.changelog_topics
        topics = set().union(*self._subscribed.values())
        counts = {topic: len(self._cluster.partitions_for_topic(topic) or ()) for topic in topics}
        tasks = counts.pop(changelog, 0)
        for member, share in self._place(changelog, tasks).items():
            mine = {topic: counts[topic] for topic in self._subscribed[member] & counts.keys()}
            actives = {changelog: sorted(share.active)} if tasks else {}
            assignments[member].actives = actives | following(share.active, tasks, mine)
            assignments[member].standbys = {
                STANDBY: sorted(share.standby), AWAITED: sorted(share.awaited)
            }  # fmt: skip
        return super()._protocol_assignments(
            assignments,
            self._get_changelog_distribution(assignments),
            self._get_external_topic_distribution(assignments),
            # Faust looks up the group of every topic; there is only one.
            dict.fromkeys(topics, 0),
        )

    def _place(self, changelog: str, tasks: int) -> dict[str, Share]:
        members = {
            member: _member(before, changelog, tasks)
            for member, before in self._before.items()
            if changelog in self._subscribed[member]
        }
        placed = place(members, tasks, self.replicas) if members else {}
        return {member: placed.get(member, Share()) for member in self._before}


def _member(before: ClientAssignment, changelog: str, tasks: int) -> Member:
    # Partitions may be gone: a topic can be made anew with fewer.
    active, standby = (
        frozenset(numbers) & frozenset(range(tasks))
        for numbers in (before.actives.get(changelog, ()), before.standbys.get(STANDBY, ()))
    )
    ready = before.standbys.get(READY)
    return Member(active, standby, None if ready is None else standby & frozenset(ready))


def following(held: Collection[int], tasks: int, counts: Mapping[str, int]) -> dict[str, list[int]]:
    """Return the partitions of topics (`counts`: how many each has) that `held` tasks read."""
    return {
        topic: sorted(one for number in held for one in shares(number, tasks, count))
        for topic, count in counts.items()
    }
