"""What has to be true of the topics of an application at rest; each check yields what is not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from chaos.chained import check_states, check_tags
from chaos.counted import check_features
from chaos.inputs import LARGEST, Inputs, expected, place_of
from chaos.learned import check_models, check_samples
from chaos.lives import KEPT, Retention
from chaos.records import Parts, Topic
from chaos.seen import Seen


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
