"""What has to be true of the topics of an application at rest; each check yields what is not."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from chaos.counted import Chain, Seen, Span, Tags, check_features
from chaos.inputs import LARGEST, Inputs, expected, place_of
from chaos.lives import KEPT, Retention
from chaos.records import Parts, Record, Topic

DAY_MS = 86_400_000
NO_LIFE = Span(0, 0)


def check_routed(inputs: Inputs, seen: Seen) -> Iterator[str]:
    """What came to another task than its user's was passed on once, as it was."""
    yield from inputs.astray
    seen.counts["routed"] = inputs.routed


def check_dead_letters(inputs: Inputs, letters: Parts, seen: Seen) -> Iterator[str]:
    """Every refused record is there once, byte for byte, and nothing else."""
    wanted = {place_of(record): record for record in inputs.refused}
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


def check_tags(inputs: Inputs, tags: Parts, seen: Seen) -> Iterator[str]:
    """Versions rise by one from 1; each change begins with what the one before left.

    Who comes back after he was forgotten begins anew, and had lost each of his tags.
    """
    for user, log in _by_user(tags).items():
        chains = seen.chains.setdefault(user, [])
        for record in log:
            seen.counts["changes"] += 1
            change = json.loads(record.value or b"")
            began = _born(change)
            if not chains or chains[-1].born != began:
                yield from _check_begin(record, change, chains)
                chains.append(Chain(began))
            yield from _check_change(record, change, chains[-1].tags)
            yield from _check_cause(record, change, inputs, seen)
            left, value = chains[-1].tags[-1], change["value"]
            rest = {name: value for name, value in left.items() if name != change["tag"]}
            chains[-1].tags.append(rest if value is None else rest | {change["tag"]: value})
    for user in seen.lives.keys() | seen.chains.keys():
        yield from _check_lives(user, seen)


def _check_begin(record: Record, change: Tags, chains: list[Chain]) -> Iterator[str]:
    user = change["user_id"]
    if chains and chains[-1].tags[-1]:
        yield f"{record}: {user} began twice, and had {chains[-1].tags[-1]}"
    if chains and _born(change) <= chains[-1].born:
        yield f"{record}: {user} began at {chains[-1].born}, and again at {_born(change)}"


def _check_lives(user: str, seen: Seen) -> Iterator[str]:
    """Each life of the changelog has its chain, as long as its rows say; nobody else has one."""
    chains = {chain.born: chain for chain in seen.chains.get(user, ())}
    for life in seen.lives.get(user, ()):
        chain = chains.pop(life.born, Chain(life.born))
        if life == seen.living(user):
            if chain.version != life.version:
                yield (
                    f"{user} has version {life.version} in the changelog and {chain.version} "
                    f"changes, of those since {life.born}"
                )
        elif chain.tags[-1] or chain.version < life.version:
            yield (
                f"{user}, who began at {life.born}, was forgotten after version {life.version}; "
                f"{chain.version} changes left him {chain.tags[-1]}"
            )
    for chain in chains.values():
        yield f"{user} has {chain.version} changes since {chain.born}, and no row of then"


def _born(told: Mapping[str, Any]) -> int:
    """When the life began that a change or a state is of."""
    return int(told["born"] if "born" in told else told["change_id"].rsplit(":", 2)[1])


def _by_user(parts: Parts) -> dict[str, list[Record]]:
    """What is said of each user, in the order of lives and versions where he has moved."""
    runs: defaultdict[str, list[tuple[tuple[int, int, bool], list[Record]]]] = defaultdict(list)
    for records in parts:
        by_user: defaultdict[str, list[Record]] = defaultdict(list)
        for record in records:
            by_user[(record.key or b"").decode()].append(record)
        for user, log in by_user.items():
            told = next((json.loads(record.value) for record in log if record.value), None)
            first = (_born(told), told["version"]) if told else (0, 0)
            # Who has left tells so last.
            runs[user].append(((*first, log[-1].value is not None), log))
    return {
        user: [record for _, log in sorted(some, key=lambda run: run[0]) for record in log]
        for user, some in runs.items()
    }


def _check_change(record: Record, change: Tags, chain: list[Tags]) -> Iterator[str]:
    user, tag, version = change["user_id"], change["tag"], change["version"]
    if version != len(chain):
        yield f"{record}: {user} has version {version} after {len(chain) - 1}"
    if change["previous"] != chain[-1].get(tag):
        yield (
            f"{record}: {tag} of {user} was {change['previous']!r}, but the change before "
            f"left {chain[-1].get(tag)!r}"
        )
    whose, _, which = change["change_id"].rsplit(":", 2)
    if (whose, which) != (user, str(version)):
        yield f"{record}: change_id {change['change_id']} of {user}, version {version}"
    if _action(change) != change["action"]:
        yield f"{record}: {change['action']} from {change['previous']} to {change['value']}"


def _action(change: Mapping[str, Any]) -> str | None:
    value, previous = change["value"], change["previous"]
    if previous is None:
        return None if value is None else "added"
    if value is None:
        return "removed"
    # The same value is a change where it holds longer.
    return "updated" if value != previous or change["valid_until"] else None


def _check_cause(
    record: Record, change: Mapping[str, Any], inputs: Inputs, seen: Seen
) -> Iterator[str]:
    cause = change["cause"]
    if cause is None:
        return
    place = cause["topic"], cause["partition"], cause["offset"]
    if inputs.accepted.get(place) != change["user_id"]:
        yield f"{record}: caused by {cause}, which is no event of {change['user_id']}"


def check_states(states: Parts, seen: Seen) -> Iterator[str]:
    """Each state of tags is what the changes up to its version come to; the last is the newest.

    A state is deleted with its user. It may also be where he has left for another partition: the
    same is said once more there.
    """
    last: dict[str, Span] = {}
    left = set()
    for user, log in _by_user(states).items():
        for record in log:
            if record.value is None:
                left.add(user)
                continue
            seen.counts["states"] += 1
            state = json.loads(record.value)
            yield from _check_state(record, state, last.get(user, NO_LIFE), user in left, seen)
            last[user] = Span(_born(state), state["version"])
            left.discard(user)
    for user in last.keys() | seen.rows.keys():
        wanted, found = seen.living(user) or NO_LIFE, last.get(user, NO_LIFE)
        # Who has never had a tag has no state.
        if wanted.version and (user in left or found != wanted):
            yield f"{user} is at {wanted}; his state is at {found}{', deleted' * (user in left)}"
        elif not wanted.version and found.version and user not in left:
            yield f"{user} has a state at {found}, and was forgotten"


def _check_state(record: Record, state: Tags, known: Span, left: bool, seen: Seen) -> Iterator[str]:
    """One state of a user, whose last one was `known`, and deleted where he has `left`."""
    user, at = (record.key or b"").decode(), Span(_born(state), state["version"])
    if at.born == known.born and at.version <= known.version - left:
        yield f"{record}: {user} has version {at.version} after {known.version}"
    if at.born != known.born and known.version and not left:
        yield f"{record}: {user} begins at {at.born}, and nobody deleted his state from before"
    chains = [chain for chain in seen.chains.get(user, ()) if chain.born == at.born]
    tags = {name: status["value"] for name, status in state["tags"].items()}
    if (
        state["user_id"] != user
        or not chains
        or at.version > chains[0].version
        or tags != chains[0].tags[at.version]
    ):
        yield f"{record}: at version {at.version}, {user} is not what the changes say"


def check_samples(inputs: Inputs, training: Parts, seen: Seen) -> Iterator[str]:
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
    for number, following in enumerate(seen.following):
        latest = max(map(inputs.latest, following), default=0)
        yield from _check_days(number, days[number], latest, seen)
    yield from _check_outcomes(samples, days, seen)


def _check_days(number: int, ends: list[int], latest: int, seen: Seen) -> Iterator[str]:
    """One day end after the other, up to the day of the latest event, none beyond the time.

    Whose users came from others goes on at the time of the latest of them.
    """
    time, breaks = seen.times[number], seen.breaks[number]
    for before, after in pairwise(ends):
        jumped = any(before <= at < after for at in breaks)
        if after <= before or (after - before != DAY_MS and not jumped):
            yield f"partition {number} ended the days {ends}"
    if ends and not latest // DAY_MS * DAY_MS <= ends[-1] <= time:
        yield f"partition {number} has events up to {latest}; its last day ended {ends[-1]}"


def _check_outcomes(
    samples: list[Tags], days: Mapping[int, list[int]], seen: Seen
) -> Iterator[str]:
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
        home = seen.rows[user][0] if user in seen.rows else sample["partition"]
        for task in sample["tasks"].keys() & horizons.keys():
            over = days[home] and at + horizons[task] <= days[home][-1]
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


def check_all(
    topics: Mapping[str, Topic], retention: Retention = KEPT
) -> tuple[list[tuple[str, list[str]]], Seen]:
    """What each check has found, in order, and what they looked at. `topics` are by their role."""
    seen, inputs = Seen(), expected(topics)
    found = [
        (
            "every accepted event is counted once",
            list(check_features(inputs, topics["changelog"].parts, seen, retention)),
        ),
        (
            "every refused one is in dead letters once",
            list(check_dead_letters(inputs, topics["dead-letters"].parts, seen)),
        ),
        (
            "changes of tags form unbroken chains",
            list(check_tags(inputs, topics["tags"].parts, seen)),
        ),
        ("tag states are those of the chains", list(check_states(topics["tag-state"].parts, seen))),
    ]
    if "routed" in topics:
        found.append(("what was routed is there once", list(check_routed(inputs, seen))))
    if "training" in topics:
        training = topics["training"].parts
        found += [
            ("samples are there once", list(check_samples(inputs, training, seen))),
            ("models are published once", list(check_models(topics["models"].parts, seen))),
        ]
    seen.counts["hidden"] = sum(topic.hidden for topic in topics.values())
    return found, seen
