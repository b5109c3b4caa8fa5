"""What has to be true of changes and states of tags: one chain for each life of a user."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from chaos.inputs import Inputs
from chaos.records import Parts, Record
from chaos.seen import Chain, Seen, Span, Tags

NO_LIFE = Span(0, 0)


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
