"""Compares what was published with the reference: features, tags, chains of versions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from math import isclose
from typing import Any

import orjson

from bench.peers.job import Job
from bench.peers.state import State
from bench.peers.traffic import Record

Profiles = dict[str, dict[str, Any]]
#: Relative error of ratios and hours: sums are taken in different orders. Counts are exact.
CLOSE = 1e-9


class Reference:
    """The job, event by event, in this process."""

    def __init__(self, *, audit: bool = True) -> None:
        self._job = Job(audit=audit)
        self._states: dict[str, State] = {}
        self.features: Profiles = {}

    def take(self, records: Iterable[Record]) -> None:
        """Fold records in their order; an audit event keeps its user's features."""
        for record in records:
            event = orjson.loads(record.value)
            user = event["user_id"]
            self._states[user], changes = self._job.step(self._states.get(user), event)
            for change in changes:
                if "audit" in change:
                    self.features[user] = change

    @property
    def tags(self) -> Profiles:
        """The tags of every user that is no mark."""
        return {u: s["tags"] for u, s in self._states.items() if not u.startswith("mark-")}


@dataclass
class Seen:
    """What came out: the last features, and each user's changes by version."""

    features: Profiles = field(default_factory=dict)
    changes: dict[str, dict[int, dict[str, Any]]] = field(default_factory=lambda: defaultdict(dict))
    repeated: int = 0
    contradicting: int = 0
    _arrived: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    _again: set[str] = field(default_factory=set)

    def take(self, values: Iterable[bytes]) -> None:
        """Take published values in the order of their topic."""
        for value in values:
            change = orjson.loads(value)
            user = change["user_id"]
            if user.startswith("mark-"):
                continue
            if "audit" in change:
                self.features[user] = change
                continue
            known = self.changes[user].get(change["version"])
            if known is not None:
                self.repeated += 1
                same = all(known[key] == change[key] for key in ("tag", "value", "previous"))
                self.contradicting += not same
                self._again.add(user)
            self._arrived[user].append(change)
            self.changes[user][change["version"]] = change

    def tags(self) -> Profiles:
        """The tags that changes lead to: by version, or as they came where versions came again."""
        found: Profiles = {}
        for user, changes in self.changes.items():
            ordered = [changes[version] for version in sorted(changes)]
            held: dict[str, Any] = {}
            for change in self._arrived[user] if user in self._again else ordered:
                if change["value"] is None:
                    held.pop(change["tag"], None)
                else:
                    held[change["tag"]] = change["value"]
            found[user] = held
        return found

    def missing(self) -> int:
        """Versions that no change has, below each user's last."""
        return sum(max(changes) - len(changes) for changes in self.changes.values())


@dataclass(frozen=True)
class Verdict:
    """Users of whom something differs, and faults of the chains of versions."""

    users: int
    features_differ: int
    tags_differ: int
    changes: int
    repeated: int
    contradicting: int
    missing: int
    example: str = ""

    @property
    def equal(self) -> bool:
        """Every figure and every tag is as the reference says."""
        return not (self.features_differ or self.tags_differ)

    @property
    def once(self) -> bool:
        """And every change came once."""
        return self.equal and not (self.repeated or self.missing)

    def record(self) -> dict[str, Any]:
        """For results.json."""
        return asdict(self) | {"equal": self.equal, "once": self.once}


def judge(
    wanted: Reference,
    seen: Seen,
    *,
    features: Profiles | None = None,
    without: Collection[str] = (),
) -> Verdict:
    """Compare; `features` None: those are not compared. Tags `without` are left out."""
    examples: list[str] = []
    wrong = 0
    if features is not None:
        for user, expected in wanted.features.items():
            if told := _first_difference(expected, features.get(user, {})):
                wrong += 1
                examples.append(f"{user}: {told}")
    expected_tags, found_tags = wanted.tags, seen.tags()
    wrong_tags = 0
    for user, tags in expected_tags.items():
        one, other = _left(tags, without), _left(found_tags.get(user, {}), without)
        if one != other:
            wrong_tags += 1
            examples.append(f"{user}: wanted {one}, got {other}")
    return Verdict(
        users=len(expected_tags),
        features_differ=wrong,
        tags_differ=wrong_tags,
        changes=sum(map(len, seen.changes.values())),
        repeated=seen.repeated,
        contradicting=seen.contradicting,
        missing=seen.missing(),
        example=examples[0] if examples else "",
    )


def _left(tags: Mapping[str, Any], without: Collection[str]) -> dict[str, Any]:
    return {tag: value for tag, value in tags.items() if tag not in without}


def _first_difference(wanted: Mapping[str, Any], got: Mapping[str, Any]) -> str:
    for name, value in wanted.items():
        if name in ("user_id", "audit"):
            continue
        other = got.get(name)
        if value is None or other is None:
            same = value is other
        else:
            same = value == other or isclose(value, other, rel_tol=CLOSE)
        if not same:
            return f"{name} is {other}, wanted {value}"
    return ""
