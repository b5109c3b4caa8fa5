"""What the cluster, the groups and the port mean for an operator; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from stream_app.kafka.client.acls import Right
from stream_app.kafka.client.rights import ADVICE
from stream_app.kafka.doctor.facts import Broker, Group, Port, Replicas
from stream_app.kafka.doctor.findings import Finding, ok, problem, warning
from stream_app.kafka.doctor.words import numbers
from stream_app.kafka.topics.check import Finding as Topic


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
            f"{name}: no broker leads partition {numbers(held.leaderless)}",
            "start the brokers that hold it",
        )
    if held.below_min:
        yield problem(
            "topics",
            f"{name}: partition {numbers(held.below_min)} has fewer replicas in sync than "
            "min.insync.replicas, so nothing can be written",
            "start the brokers that hold it",
        )
    if held.out_of_sync:
        yield warning(
            "topics",
            f"{name}: partition {numbers(held.out_of_sync)} has replicas out of sync",
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
        if has & {"Read", "Write", "Delete", "Alter"}:
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
            f"all that a {role} needs of what is there; of transactional ids only Describe can be "
            "told",
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
