"""What has to be true of the topics of an application at rest; each check yields what is not."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from chaos.changelog import transactions
from chaos.inputs import LARGEST, Part, expected
from chaos.records import Parts, Record, Topic

DAY_MS = 86_400_000
Tags = dict[str, Any]


@dataclass
class Seen:
    """What the checks have looked at, for the verdict; and what later checks need of earlier."""

    counts: Counter[str] = field(default_factory=Counter)
    #: Changes of tags of each user: as the row of the changelog says, and as `tags` says.
    versions: dict[str, int] = field(default_factory=dict)
    #: By partition: the next offsets after each transaction, and partition time at the end.
    following: list[tuple[int, int]] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    states: dict[str, list[Tags]] = field(default_factory=dict)


def check_features(parts: list[Part], changelog: Parts, seen: Seen) -> Iterator[str]:
    """Every accepted event counts once: in every row of every transaction, and in their sum."""
    for number, (part, records) in enumerate(zip(parts, changelog, strict=True)):
        yield from _check_partition(number, part, records, seen)


def _check_partition(number: int, part: Part, records: list[Record], seen: Seen) -> Iterator[str]:
    counted: dict[str, tuple[int, int]] = {}
    following, time, total = (0, 0), 0, 0
    for done in transactions(records):
        seen.counts["transactions"] += 1
        if min(new - old for new, old in zip(done.following, following, strict=True)) < 0:
            yield f"{done.at}: next offsets fell from {following} to {done.following}"
        if done.time < time:
            yield f"{done.at}: partition time fell from {time} to {done.time}"
        following, time = done.following, done.time
        for row in done.rows.values():
            seen.counts["rows"] += 1
            wanted = part.users[row.user].upto(following) if row.user in part.users else (0, 0)
            if row.counted != wanted:
                yield (
                    f"{row.at}: {row.user} has (events, cents) {row.counted} where the inputs "
                    f"below {following} say {wanted}"
                )
            total += (row.counted or (0, 0))[0] - counted.get(row.user, (0, 0))[0]
            counted[row.user] = row.counted or (0, 0)
            seen.versions[row.user] = row.version
        if total != part.upto(following):
            yield (
                f"{done.at}: all users of partition {number} have {total} events together where "
                f"the inputs below {following} hold {part.upto(following)}"
            )
    if following != tuple(part.ends):
        yield f"partition {number}: folded up to {following}, the inputs end at {part.ends}"
    for user, wanted in part.users.items():
        if counted.get(user) != wanted.upto(following):
            yield (
                f"{user} ends with (events, cents) {counted.get(user)} instead of "
                f"{wanted.upto(following)}"
            )
    seen.following.append(following)
    seen.times.append(time)
    seen.counts["events"] += part.upto(following)
    seen.counts["repeated"] += part.repeated


def check_dead_letters(parts: list[Part], letters: Parts, seen: Seen) -> Iterator[str]:
    """Every refused record is there once, byte for byte, and nothing else."""
    wanted = {
        (record.topic, record.partition, record.offset): record
        for part in parts
        for record in part.refused
    }
    found: Counter[tuple[str, int, int]] = Counter()
    for letter in (record for records in letters for record in records):
        headers = letter.headers
        place = headers["topic"].decode(), int(headers["partition"]), int(headers["offset"])
        found[place] += 1
        if place not in wanted:
            yield f"{letter}: refused {place}, which is to be accepted ({headers['reason']!r})"
        elif (letter.value or b"") != (wanted[place].value or b"")[:LARGEST]:
            yield f"{letter}: is not what lies at {place}"
    for place in wanted:
        if found[place] != 1:
            yield f"{place} was to be refused once and is there {found[place]} times"
    seen.counts["refused"] = len(wanted)


def check_tags(tags: Parts, seen: Seen) -> Iterator[str]:
    """Versions rise by one from 1; each change begins with what the one before left."""
    chains: defaultdict[str, list[Tags]] = defaultdict(lambda: [{}])
    born: dict[str, str] = {}
    for record in (record for records in tags for record in records):
        change = json.loads(record.value or b"")
        user, tag, version = change["user_id"], change["tag"], change["version"]
        chain = chains[user]
        seen.counts["changes"] += 1
        if version != len(chain):
            yield f"{record}: {user} has version {version} after {len(chain) - 1}"
        left = chain[-1]
        if change["previous"] != left.get(tag):
            yield (
                f"{record}: {tag} of {user} was {change['previous']!r}, but the change before "
                f"left {left.get(tag)!r}"
            )
        identity = change["change_id"].rsplit(":", 2)
        if identity[0] != user or identity[2] != str(version):
            yield f"{record}: change_id {change['change_id']} of {user}, version {version}"
        if born.setdefault(user, identity[1]) != identity[1]:
            yield f"{record}: {user} began twice"
        if _action(change) != change["action"]:
            yield f"{record}: {change['action']} from {change['previous']} to {change['value']}"
        yield from _check_cause(record, change, seen)
        rest = {name: value for name, value in left.items() if name != tag}
        value = change["value"]
        chain.append(rest if value is None else rest | {tag: value})
    for user in seen.versions.keys() | chains.keys():
        if seen.versions.get(user, 0) != len(chains[user]) - 1:
            yield (
                f"{user} has version {seen.versions.get(user, 0)} in the changelog and "
                f"{len(chains[user]) - 1} changes"
            )
    seen.states = dict(chains)


def _action(change: Mapping[str, Any]) -> str | None:
    value, previous = change["value"], change["previous"]
    if previous is None:
        return None if value is None else "added"
    if value is None:
        return "removed"
    # The same value is a change where it holds longer.
    return "updated" if value != previous or change["valid_until"] else None


def _check_cause(record: Record, change: Mapping[str, Any], seen: Seen) -> Iterator[str]:
    cause = change["cause"]
    if cause is None:
        return
    ends = seen.following[record.partition]
    if cause["partition"] != record.partition or cause["offset"] >= max(ends):
        yield f"{record}: caused by {cause}, which was not folded"


def check_states(states: Parts, seen: Seen) -> Iterator[str]:
    """Each state of tags is what the changes up to its version come to; the last is the newest."""
    last: dict[str, int] = {}
    for record in (record for records in states for record in records):
        state = json.loads(record.value or b"")
        user, version = state["user_id"], state["version"]
        chain = seen.states.get(user, [{}])
        seen.counts["states"] += 1
        if version <= last.get(user, 0):
            yield f"{record}: {user} has version {version} after {last[user]}"
        last[user] = version
        tags = {name: status["value"] for name, status in state["tags"].items()}
        if version >= len(chain) or tags != chain[version]:
            yield f"{record}: at version {version}, {user} is not what the changes say"
    for user, chain in seen.states.items():
        if last.get(user, 0) != len(chain) - 1:
            yield f"{user} has {len(chain) - 1} changes, and version {last.get(user)} in its state"


def check_samples(parts: list[Part], training: Parts, seen: Seen) -> Iterator[str]:
    """Each sample, outcome and day end once; no day left out; no example without its outcome."""
    samples = [json.loads(record.value or b"") for records in training for record in records]
    found = Counter(
        (s["kind"], s["partition"], s["at"], s.get("user_id"), s.get("task")) for s in samples
    )
    for sample, times in found.items():
        if times > 1:
            yield f"the sample {sample} is there {times} times"
    seen.counts["samples"] = sum(found.values())
    days: defaultdict[int, list[int]] = defaultdict(list)
    for sample in samples:
        if sample["kind"] == "day":
            days[sample["partition"]].append(sample["at"])
    for number, part in enumerate(parts):
        yield from _check_days(number, days[number], part.latest, seen.times[number])
    yield from _check_outcomes(samples, days)


def _check_days(number: int, ends: list[int], latest: int, time: int) -> Iterator[str]:
    """One day end after the other, up to the day of the latest event, none beyond `time`."""
    if any(after - before != DAY_MS for before, after in pairwise(ends)):
        yield f"partition {number} ended the days {ends}"
    if ends and not latest // DAY_MS * DAY_MS <= ends[-1] <= time:
        yield f"partition {number} has events up to {latest}; its last day ended {ends[-1]}"


def _check_outcomes(samples: list[Tags], days: Mapping[int, list[int]]) -> Iterator[str]:
    """Whoever was sampled for a task is looked at again when its horizon is over."""
    ends = {
        (s["user_id"], s["task"], s["sampled_at"]): s["at"]
        for s in samples
        if s["kind"] == "outcome"
    }
    horizons = {task: end - at for (_, task, at), end in ends.items()}
    for sample in samples:
        if sample["kind"] != "example":
            continue
        user, at = sample["user_id"], sample["at"]
        for task in sample["tasks"].keys() & horizons.keys():
            over = at + horizons[task] <= days[sample["partition"]][-1]
            if over and (user, task, at) not in ends:
                yield f"the sample of {user} for {task} at {at} has no outcome"


def check_models(models: Parts, seen: Seen) -> Iterator[str]:
    """Each version of each model was published once, in order: one trainer at a time."""
    found: defaultdict[str, list[int]] = defaultdict(list)
    for record in (record for records in models for record in records):
        task, version = _version(record)
        # Old versions are deleted in time.
        if version is not None and record.value is not None:
            found[task].append(version)
            seen.counts["models"] += 1
    for task, versions in found.items():
        if versions != sorted(set(versions)):
            yield f"versions of {task} were published as {versions}"


def _version(record: Record) -> tuple[str, int | None]:
    """Task and version that a record publishes; no version where it only says what is in use."""
    key = (record.key or b"").decode()
    task, _, version = key.rpartition(":")
    return task, int(version) if version.isdigit() else None


def check_all(topics: Mapping[str, Topic]) -> tuple[list[tuple[str, list[str]]], Seen]:
    """What each check has found, in order, and what they looked at. `topics` are by their role."""
    seen = Seen()
    parts = expected(topics["clicks"].parts, topics["purchases"].parts)
    found = [
        (
            "every accepted event is counted once",
            list(check_features(parts, topics["changelog"].parts, seen)),
        ),
        (
            "every refused one is in dead letters once",
            list(check_dead_letters(parts, topics["dead-letters"].parts, seen)),
        ),
        ("changes of tags form unbroken chains", list(check_tags(topics["tags"].parts, seen))),
        ("tag states are those of the chains", list(check_states(topics["tag-state"].parts, seen))),
    ]
    if "training" in topics:
        found += [
            ("samples are there once", list(check_samples(parts, topics["training"].parts, seen))),
            ("models are published once", list(check_models(topics["models"].parts, seen))),
        ]
    seen.counts["hidden"] = sum(topic.hidden for topic in topics.values())
    return found, seen
