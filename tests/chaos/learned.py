"""What has to be true of samples, outcomes, days and models: each is there once."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

from chaos.inputs import Inputs
from chaos.lives import DAY_MS
from chaos.records import Parts, Record
from chaos.seen import Seen, Tags


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
    skipped = list(map(_passed_over, seen.breaks))
    for number, following in enumerate(seen.following):
        latest = max(map(inputs.latest, following), default=0)
        yield from _check_days(number, days[number], skipped[number], latest, seen)
    yield from _check_outcomes(samples, days, skipped, seen)


def _check_days(
    number: int, ends: list[int], skipped: set[int], latest: int, seen: Seen
) -> Iterator[str]:
    """One day end after the other, up to the day of the latest event, none beyond the time.

    Whose users came from others goes on at the time of the latest of them, and passes days over.
    """
    if not ends:
        return
    last = latest // DAY_MS * DAY_MS
    due = set(range(ends[0], max(last, ends[-1]) + 1, DAY_MS)) - skipped
    if ends != sorted(due | set(ends)) or ends[-1] > seen.times[number]:
        yield (
            f"partition {number} ended the days {ends}, not {sorted(due - set(ends))}, "
            f"and has events up to {latest}"
        )


def _passed_over(breaks: list[tuple[int, int]]) -> set[int]:
    """The day ends between the times before and after each change."""
    return {
        day * DAY_MS
        for before, after in breaks
        for day in range(before // DAY_MS + 1, after // DAY_MS + 1)
    }


def _check_outcomes(
    samples: list[Tags],
    days: Mapping[int, list[int]],
    skipped: Sequence[set[int]],
    seen: Seen,
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
            end = at + horizons[task]
            over = days[home] and end <= days[home][-1] and end not in skipped[home]
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
