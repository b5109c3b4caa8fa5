"""From what was seen to what it means; pure. Times are epoch milliseconds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from stream_app.domain.batch import TOPICS
from stream_app.kafka.acls import Right
from stream_app.kafka.bounds import check_bounds
from stream_app.kafka.doctor.facts import Broker, Group, Partition, Port, Refusals, Replicas
from stream_app.kafka.doctor.findings import Finding, ok, problem, warning
from stream_app.kafka.errors import Refusal
from stream_app.kafka.rights import ADVICE
from stream_app.kafka.topics.check import Finding as Topic

HOUR = 3_600_000
#: Clocks that are kept by NTP differ by less (ms).
_SKEW = 2_000
_BAD_SKEW = 60_000
#: An idle partition writes its `\0meta` once an hour; twice that is too long (ms).
_QUIET = 2 * HOUR
#: Of the events of an hour; more is worth a look.
_REFUSED_SHARE = 0.01


def brokers(found: Sequence[Broker]) -> Iterator[Finding]:
    """Each address: name resolution, TCP, TLS and login, as `why` says."""
    answering = [broker for broker in found if broker.why is None]
    for broker in found:
        if broker.why is None:
            yield ok("brokers", f"{broker.address} answers")
        elif broker.named and answering:
            yield warning("brokers", f"{broker.address}: {broker.why}")
        else:
            yield problem("brokers", f"{broker.address}: {broker.why}")


def topics(found: Sequence[Topic], replicas: Mapping[str, Replicas]) -> Iterator[Finding]:
    """Existence, settings, and whether each partition can be read and written."""
    for topic in found:
        name = topic.spec.name
        if topic.missing:
            yield problem("topics", f"{name} is missing", "`stream-app topics --apply` creates it")
        for misfit in topic.misfits:
            yield problem("topics", misfit)
        if topic.found is None or topic.misfits:
            continue
        bad = [*_held(name, replicas.get(name, Replicas()))]
        yield from bad
        if not bad:
            there = topic.found
            yield ok(
                "topics",
                f"{name}: {there.partitions} partition(s), {there.replication} replica(s), "
                f"{there.config.get('cleanup.policy', 'delete')}",
            )


def _held(name: str, held: Replicas) -> Iterator[Finding]:
    if held.leaderless:
        yield problem(
            "topics",
            f"{name}: no broker leads partition {_numbers(held.leaderless)}",
            "start the brokers that hold it",
        )
    if held.below_min:
        yield problem(
            "topics",
            f"{name}: partition {_numbers(held.below_min)} has fewer replicas in sync than "
            "min.insync.replicas, so nothing can be written",
            "start the brokers that hold it",
        )
    if held.out_of_sync:
        yield warning(
            "topics",
            f"{name}: partition {_numbers(held.out_of_sync)} has replicas out of sync",
            "is a broker away, or starting?",
        )


def rights(
    wanted: Iterable[Right], may: Mapping[tuple[str, str], frozenset[str] | None]
) -> Iterator[Finding]:
    """What the role needs against what this user may; by kind of resource and name."""
    untold, role, missing = [], "", 0
    for right in wanted:
        role = right.role
        has = may.get((right.resource, right.name))
        if has is None:
            untold.append(f"{right.resource} {right.name}")
            continue
        # Write on a transactional id cannot be asked without taking the id from its owner.
        needed = {"Describe"} if right.resource == "transactional-id" else set(right.operations)
        if "Describe" in needed and has & {"Read", "Write"}:
            needed -= {"Describe"}
        if lacking := sorted(needed - has):
            missing += 1
            yield problem(
                "rights",
                f"as {role}, this user may not {' and '.join(lacking)} {right.resource} "
                f"{right.name} ({right.why})",
                ADVICE,
            )
    if untold:
        yield warning("rights", f"what this user may do is not told: {', '.join(untold)}")
    if not missing and role:
        yield ok(
            "rights",
            f"all that a {role} needs; of transactional ids only Describe can be told",
        )


def clock(partitions: Sequence[Partition], now: int) -> Finding:
    """This machine's clock against those of the workers, whose time is in what they write."""
    newest = max((p.newest for p in partitions if p.newest is not None), default=None)
    if newest is None:
        return ok("clock", "cannot be told: no worker has written anything yet")
    ahead = newest - now
    if ahead <= _SKEW:
        return ok(
            "clock",
            f"the newest record of a worker is {_ago(-ahead)} old by this clock: no worker's clock "
            "is seen ahead of it (whether one is behind, records cannot tell)",
        )
    text = f"a worker's clock is at least {_ago(ahead)} ahead of this machine's"
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
        for name in TOPICS:
            there = partition.inputs.get(name)
            if there is None:
                continue
            following = partition.meta.next.get(name, 0)
            where = f"{there.topic} partition {partition.number}"
            try:
                check_bounds(_At(there.topic, partition.number), following, there.first, there.end)
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
            f"nothing is committed yet on partition {_numbers(fresh)}; "
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
            f"{where}: {lag:,} records wait, and nothing was committed for {_ago(quiet)}",
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
                f"{where} is {_ago(-age)} ahead of this machine's clock",
                "it never goes back: was the clock wrong, or events from the future taken? "
                "STREAM_APP_FUTURE_S bounds them",
            )
        elif clock == "wall" and age > _QUIET:
            bad = True
            yield warning(
                "time",
                f"{where} is {_ago(age)} behind: tags do not end with time",
                "is a worker running, and does it catch up with its inputs?",
            )
    if not bad:
        oldest = max(now - p.meta.time for p in known if p.meta is not None)
        yield ok("time", f"the oldest partition time is {_ago(oldest)} ago (clock: {clock})")


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
        return ok("catalogue", f"valid; revision {revision}, as workers use")
    named = "; ".join(f"partition {_numbers(of)} by {name}" for name, of in sorted(others.items()))
    return warning(
        "catalogue",
        f"valid; its revision is {revision}, but users were decided otherwise: {named}",
        "is this the file that the workers have (STREAM_APP_CATALOG), and do they run?",
    )


def group(found: Group, program: str, remedy: str) -> Finding:
    """Whether anybody is at work."""
    subject = f"{program}s"
    if found.refused:
        return warning(subject, f"this user may not look at group {found.name}", ADVICE)
    if not found.hosts:
        return problem(subject, f"no {program} is in group {found.name}", remedy)
    members = f"{len(found.hosts)} {program}(s) in group {found.name}: {', '.join(found.hosts)}"
    if found.state != "Stable":
        return warning(subject, f"{members}; it is in {found.state}", "wait, and look again")
    return ok(subject, members)


def port(found: Port) -> Finding:
    """The HTTP port on this machine: free, ours and ready, ours and not, or another's."""
    if found.status is None:
        return ok("port", f"nobody listens on {found.address} here, so a worker can")
    if found.status == 0:
        return problem(
            "port",
            f"{found.address} is in use by another program",
            "set STREAM_APP_HTTP_PORT to a free port, or to 0 for any",
        )
    if found.unmet:
        return warning("port", f"{found.address} is not ready: {'; '.join(found.unmet)}")
    return ok("port", f"{found.address} is ready")


def _largest(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:3]


def _numbers(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(numbers)))


def _ago(ms: float) -> str:
    seconds = max(0.0, ms / 1000)
    for unit, of in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * of:
            return f"{seconds / of:.0f} {unit}"
    return f"{seconds:.1f} s"
