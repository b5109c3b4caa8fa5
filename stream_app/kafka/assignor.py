"""Who reads what: partitions of the inputs go where the changelog's partition is.

Faust hands out together only topics with equally many partitions and the same subscribers. Here it
hands out the changelog alone, evenly and so that little moves; whoever holds its partition p gets
the inputs' partitions that task p reads.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from faust.assignor.partition_assignor import PartitionAssignor

from stream_app.kafka.inputs import shares


class FollowingAssignor(PartitionAssignor):
    """Faust's assignor of the changelog, and inputs that follow it.

    A member that has not subscribed to a topic, as one of an older version, gets nothing of it.
    """

    def _perform_assignment(self, cluster: Any, member_metadata: Any) -> Any:
        self._cluster = cluster
        self._subscribed = {
            member: set(metadata.subscription) for member, metadata in member_metadata.items()
        }
        return super()._perform_assignment(cluster, member_metadata)

    def _get_copartitioned_groups(self, topics: set[str], cluster: Any, subscriptions: Any) -> Any:
        leading = topics & set(self._table_manager.changelog_topics)
        self._following = topics - leading
        return super()._get_copartitioned_groups(leading, cluster, subscriptions)

    def _protocol_assignments(
        self, assignments: Any, cl_distribution: Any, tp_distribution: Any, topic_groups: Any
    ) -> Any:
        # Faust looks up the group of every topic; there is only one.
        groups = dict.fromkeys((*topic_groups, *self._following), 0)
        (changelog,) = topic_groups or (None,)
        tasks = len(self._cluster.partitions_for_topic(changelog) or ()) if changelog else 0
        counts = {
            topic: len(self._cluster.partitions_for_topic(topic) or ()) for topic in self._following
        }
        for member, assignment in assignments.items():
            held = assignment.actives.get(changelog, ())
            mine = {topic: counts[topic] for topic in self._subscribed[member] & counts.keys()}
            assignment.actives.update(following(held, tasks, mine))
        everything = self._get_external_topic_distribution(assignments)
        return super()._protocol_assignments(assignments, cl_distribution, everything, groups)


def following(held: Collection[int], tasks: int, counts: Mapping[str, int]) -> dict[str, list[int]]:
    """Return the partitions of topics (`counts`: how many each has) that `held` tasks read."""
    return {
        topic: sorted(one for number in held for one in shares(number, tasks, count))
        for topic, count in counts.items()
    }
