"""What the state's spread over partitions and the way of events mean for an operator; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

from stream_app.domain.errors import Reason
from stream_app.engine.changelog import Meta
from stream_app.kafka.doctor.facts import Refusals
from stream_app.kafka.doctor.findings import Finding, ok, problem, warning
from stream_app.kafka.doctor.words import numbers
from stream_app.kafka.topics.check import Found, altered

Value = TypeVar("Value", str, int)


def state(metas: Mapping[int, Meta | None], wanted: int) -> Iterator[Finding]:
    """Whether workers of `wanted` partitions may go on from each partition's last `\\0meta`."""
    known = {number: meta for number, meta in metas.items() if meta is not None}
    busy = _numbers({number: meta.busy for number, meta in known.items()})
    for command, where in busy.items():
        if command:
            yield problem(
                "state",
                f"partition {numbers(where)}: `{command}` has begun and not ended, and no worker "
                "starts",
                "if nobody is at it, run it again: it goes on where it was",
            )
    spread = _numbers({number: meta.partitions for number, meta in known.items()})
    others = {told: where for told, where in spread.items() if told not in (0, wanted)}
    for told in sorted(others):
        moving = f"; or `stream-app repartition --to {wanted} --apply` moves the users"
        yield problem(
            "state",
            f"the profiles are spread over {told} partitions, STREAM_APP_PARTITIONS says {wanted}",
            f"set STREAM_APP_PARTITIONS={told}{moving if told < wanted else ''}",
        )
    if known and not others and set(busy) == {""}:
        yield ok("state", f"profiles are whole, and spread over {wanted} partitions")


def _numbers(values: Mapping[int, Value]) -> dict[Value, list[int]]:
    """The numbers that have each value."""
    found: dict[Value, list[int]] = {}
    for number, value in values.items():
        found.setdefault(value, []).append(number)
    return found


def inputs(counts: Mapping[str, int], tasks: int) -> Iterator[Finding]:
    """Inputs of other counts than the `tasks`, where events are routed; `counts` by topic."""
    for topic, count in counts.items():
        if count % tasks:
            yield ok(
                "routing",
                f"{topic}: {count} partitions for {tasks} tasks: keyed events lie elsewhere than "
                "their users and are taken there, which costs a transaction more; a multiple of "
                f"{tasks} would spare that",
            )


def routed(name: str, found: Found, route: str, purge_s: float) -> Iterator[Finding]:
    """How long the topic of routed events keeps them: until they have arrived, and no longer."""
    kept = {key: int(found.config.get(key, "-1")) for key in ("retention.ms", "retention.bytes")}
    for key, most in kept.items():
        if most >= 0:
            yield warning(
                "routing",
                f"{name}: {key}={most}: Kafka deletes events that have not arrived, should workers "
                "stand still for so long",
                altered(name, key, "-1"),
            )
    if not purge_s and kept == dict.fromkeys(kept, -1):
        yield warning(
            "routing",
            f"{name}: nobody deletes what has arrived",
            "set STREAM_APP_ROUTED_PURGE_S to seconds, such as 60",
        )
    if route == "never":
        yield ok("routing", f"{name} is there from when events were routed: workers read it still")


def misrouted(found: Refusals, route: str) -> Iterator[Finding]:
    """Events that were refused because their user's profile is elsewhere."""
    count = found.reasons.get(Reason.MISROUTED.value, 0)
    if not count:
        return
    if route == "never":
        yield warning(
            "routing",
            f"{count:,} events of the last hour lay on another partition than their user's, and "
            "STREAM_APP_ROUTE=never refuses them",
            "set it to auto, or see docs/messages.md for how producers choose the partition; then "
            "`stream-app dead-letters retry`",
        )
        return
    yield warning(
        "routing",
        f"{count:,} events of the last hour were refused where they had been taken to",
        "have all workers the same STREAM_APP_PARTITIONS and `partitioner`, and does nobody else "
        "write to the internal topic? Then `stream-app dead-letters retry`",
    )
