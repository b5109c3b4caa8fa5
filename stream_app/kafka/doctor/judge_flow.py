"""What offsets, times and dead letters mean for an operator; pure. Times are epoch milliseconds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from stream_app.kafka.doctor.facts import Partition, Refusals
from stream_app.kafka.doctor.findings import Finding, ok, problem, warning
from stream_app.kafka.doctor.words import ago, numbers
from stream_app.kafka.errors import Refusal
from stream_app.kafka.input_topics.bounds import check_bounds

HOUR = 3_600_000
#: Clocks that are kept by NTP differ by less (ms).
_SKEW = 2_000
_BAD_SKEW = 60_000
#: An idle partition writes its `\0meta` once an hour; twice that is too long (ms).
_QUIET = 2 * HOUR
#: Of the events of an hour; more is worth a look.
_REFUSED_SHARE = 0.01


def clock(partitions: Sequence[Partition], now: int) -> Finding:
    """This machine's clock against those of the workers, whose time is in what they write."""
    newest = max((p.newest for p in partitions if p.newest is not None), default=None)
    if newest is None:
        return ok("clock", "cannot be told: no worker has written anything yet")
    ahead = newest - now
    if ahead <= _SKEW:
        return ok(
            "clock",
            f"the newest record of a worker is {ago(-ahead)} old by this clock: no worker's clock "
            "is seen ahead of it (whether one is behind, records cannot tell)",
        )
    text = f"a worker's clock is at least {ago(ahead)} ahead of this machine's"
    remedy = "synchronise both by NTP: events are judged as `future` or `too_old` by these clocks"
    return (problem if ahead > _BAD_SKEW else warning)("clock", text, remedy)


def lag(
    partitions: Sequence[Partition], now: int, stall_ms: int, many: int, app_id: str
) -> Iterator[Finding]:
    """The offsets of `\\0meta`, which is the truth, against the inputs and the group's offsets."""
    behind, fresh, total = [], [], 0
    for partition in partitions:
        if partition.meta is None:
            fresh.append(partition.number)
            total += sum(there.end - there.first for there in partition.inputs.values())
            continue
        for name, there in partition.inputs.items():
            following = partition.meta.next.get(name, there.first)
            number = partition.number if there.partition is None else there.partition
            where = f"{there.topic} partition {number}"
            try:
                check_bounds(_At(there.topic, number), following, there.first, there.end)
            except Refusal as error:
                yield problem("lag", str(error))
                continue
            if there.group is not None and there.group > following:
                yield warning(
                    "lag",
                    f"{where}: group {app_id} says {there.group}, the changelog says {following}, "
                    "and reading goes on there",
                    "tools that show the group's lag show too little until the next commit",
                )
            total += there.end - following
            behind += [_behind(where, there.end - following, partition, now, stall_ms, many)]
    bad = [finding for finding in behind if finding is not None]
    yield from bad
    lost = len(behind) < sum(len(p.inputs) for p in partitions if p.meta is not None)
    if fresh:
        yield warning(
            "lag",
            f"nothing is committed yet on partition {numbers(fresh)}; "
            f"{total:,} records of all inputs wait",
            "is a worker running?",
        )
    elif not (bad or lost) and partitions:
        yield ok("lag", f"{total:,} records of all inputs wait")


class _At:
    """A partition as `check_bounds` takes it."""

    def __init__(self, topic: str, partition: int) -> None:
        self.topic, self.partition = topic, partition


def _behind(
    where: str, lag: int, partition: Partition, now: int, stall_ms: int, many: int
) -> Finding | None:
    if not lag:
        return None
    quiet = now - partition.newest if partition.newest is not None else None
    if quiet is not None and quiet > stall_ms:
        return problem(
            "lag",
            f"{where}: {lag:,} records wait, and nothing was committed for {ago(quiet)}",
            "see /livez, /readyz and the log of the worker that has it",
        )
    if lag > many:
        return warning(
            "lag",
            f"{where}: {lag:,} records wait",
            "if it rises, add workers, up to the number of partitions",
        )
    return None


def times(
    partitions: Sequence[Partition], now: int, clock: str, future_ms: int
) -> Iterator[Finding]:
    """Partition time, which never falls; with the clock `wall` it keeps up with this machine's."""
    known = [p for p in partitions if p.meta is not None and p.meta.time > 0]
    if not known:
        return
    bad = False
    for partition in known:
        assert partition.meta is not None
        age, where = now - partition.meta.time, f"partition {partition.number}"
        if age < -future_ms:
            bad = True
            yield problem(
                "time",
                f"{where} is {ago(-age)} ahead of this machine's clock",
                "it never goes back: was the clock wrong, or events from the future taken? "
                "STREAM_APP_FUTURE_S bounds them",
            )
        elif clock == "wall" and age > _QUIET:
            bad = True
            yield warning(
                "time",
                f"{where} is {ago(age)} behind: tags do not end with time",
                "is a worker running, and does it catch up with its inputs?",
            )
    if not bad:
        oldest = max(now - p.meta.time for p in known if p.meta is not None)
        yield ok("time", f"the oldest partition time is {ago(oldest)} ago (clock: {clock})")


def refusals(found: Refusals, most: float) -> Finding:
    """Dead letters of the last hour, and their share of what came; above `most` workers stop."""
    count = sum(found.reasons.values())
    if not count:
        return ok("dead letters", "none in the last hour")
    reasons = ", ".join(f"{name} {n:,}" for name, n in _largest(found.reasons))
    text = f"{'at least ' if found.more else ''}{count:,} in the last hour ({reasons})"
    share = count / found.events if found.events >= count else None
    if share is not None:
        text += f", {share:.1%} of the events"
    remedy = "`stream-app dead-letters list` shows them, `retry` sends them again once repaired"
    if share is not None and share > most:
        return problem("dead letters", text, remedy)
    if share is None or share > _REFUSED_SHARE:
        return warning("dead letters", text, remedy)
    return ok("dead letters", text)


def catalogue(revision: str, partitions: Sequence[Partition]) -> Finding:
    """The catalogue here against that under which each partition's users were decided."""
    others: dict[str, list[int]] = {}
    for partition in partitions:
        if partition.meta is not None and partition.meta.revision not in ("", revision):
            others.setdefault(partition.meta.revision, []).append(partition.number)
    if not others:
        used = any(p.meta is not None and p.meta.revision for p in partitions)
        known = ", as workers use" if used else "; nobody was decided by it yet"
        return ok("catalogue", f"valid; revision {revision}{known}")
    named = "; ".join(f"partition {numbers(of)} by {name}" for name, of in sorted(others.items()))
    return warning(
        "catalogue",
        f"valid; its revision is {revision}, but users were decided otherwise: {named}",
        "is this the file that the workers have (STREAM_APP_CATALOG), and do they run?",
    )


def _largest(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:3]
