"""What is to be learned: reading the catalogue's `learning:` section."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from stream_app.domain.clock import DAY
from stream_app.domain.errors import nearest
from stream_app.domain.expression import Expression
from stream_app.domain.source import Node
from stream_app.learning.forms import FORM_KEYS, Bands, Form, Precision, TopShare, read_form
from stream_app.learning.outcomes import (
    Holds,
    Largest,
    Outcome,
    Windows,
    condition,
    every_days,
    read_outcome,
)
from stream_app.learning.shares import below_one, share

MAX_GAP_MS: Final = 2 * DAY
HOLDOUT: Final = 0.05
MAX_FLIPS: Final = 0.1
SEGMENTS: Final = (3, 12)
MOST_SEGMENTS: Final = 32
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
_REQUIRED: Final = ("features", "outcome", "horizon", "rate")
_KEYS: Final = (
    *("description", "among", *_REQUIRED, *FORM_KEYS),
    *("holdout", "challenger", "max_flips"),
)


@dataclass(frozen=True)
class Task:
    """A declared prediction.

    Of the users for whom `among` is true the share `rate` is sampled at a day end, at every
    `every_days`-th day end since 1970-01-01. The share `holdout` of users never gets the tag.
    A new version may change the tags of the share `max_flips` of them. The model of `challenger`
    features, if there are any, competes with that of `features`.
    """

    name: str
    description: str
    among: Expression | None
    features: tuple[str, ...]
    outcome: Outcome
    horizon_ms: int
    rate: float
    form: Form
    holdout: float = HOLDOUT
    challenger: tuple[str, ...] = ()
    max_flips: float = MAX_FLIPS
    every_days: int = 1


@dataclass(frozen=True)
class Segmentation:
    """Segments of users that are alike in `features`; from `k[0]` to `k[1]` of them."""

    features: tuple[str, ...]
    rate: float
    k: tuple[int, int] = SEGMENTS
    among: Expression | None = None


@dataclass(frozen=True)
class Learning:
    """All that is learned; `columns` are the features of all of it, in the catalogue's order.

    Nothing is learned from windows that hold a pause of all events longer than `max_gap_ms`.
    """

    tasks: tuple[Task, ...]
    segmentation: Segmentation | None
    max_gap_ms: int
    columns: tuple[str, ...]


def declare(
    node: Node, kinds: Mapping[str, str], windows: Windows, tags: Collection[str] = ()
) -> Learning:
    """Read `learning:`; raises DeclarationError with file, line and field.

    `kinds` of all features in declared order ("number", "text", "list"), `windows` of those that
    have one, and the names of the rules' `tags`, which no prediction may have.
    """
    node.check_keys(("max_gap", "predictions", "segments"))
    gap, predictions, segments = map(node.get, ("max_gap", "predictions", "segments"))
    tasks = tuple(
        _task(name, child, kinds, windows, tags)
        for name, child in (predictions.items() if predictions else ())
    )
    segmentation = _segmentation(segments, kinds) if segments else None
    if not tasks and segmentation is None:
        raise node.error("says not what to learn", "predictions, segments or both")
    used = {name for task in tasks for name in (*task.features, *task.challenger)}
    used.update(segmentation.features if segmentation else ())
    columns = tuple(name for name in kinds if name in used)
    return Learning(tasks, segmentation, gap.duration_ms() if gap else MAX_GAP_MS, columns)


def _task(
    name: str, node: Node, kinds: Mapping[str, str], windows: Windows, tags: Collection[str]
) -> Task:
    if not _NAME.fullmatch(name):
        expected = "small letters, digits and _, at most 63, a letter first"
        raise node.error(f"{name!r} is not a name for a tag", expected)
    if name in tags:
        raise node.error(f"{name!r} is the name of a tag that rules decide", "another name")
    node.check_keys(_KEYS, required=_REQUIRED)
    given = dict(node.items())
    horizon_ms = _horizon(given["horizon"])
    outcome = read_outcome(given["outcome"], kinds, windows, horizon_ms)
    description, challenger = given.get("description"), given.get("challenger")
    holdout, flips = given.get("holdout"), given.get("max_flips")
    return Task(
        name=name,
        description=" ".join(description.text().split()) if description else "",
        among=_among(node, kinds),
        features=_features(given["features"], kinds),
        outcome=outcome,
        horizon_ms=horizon_ms,
        rate=share(given["rate"]),
        form=read_form(node),
        holdout=below_one(holdout) if holdout else HOLDOUT,
        challenger=_features(challenger, kinds) if challenger else (),
        max_flips=share(flips) if flips else MAX_FLIPS,
        every_days=every_days(outcome, windows),
    )


def _segmentation(node: Node, kinds: Mapping[str, str]) -> Segmentation:
    node.check_keys(("features", "rate", "k", "among"), required=("features", "rate"))
    given = dict(node.items())
    k = given.get("k")
    return Segmentation(
        features=_features(given["features"], kinds),
        rate=share(given["rate"]),
        k=_numbers(k) if k else SEGMENTS,
        among=_among(node, kinds),
    )


def _numbers(node: Node) -> tuple[int, int]:
    found = [child.integer(2, MOST_SEGMENTS) for child in node.elements()]
    if len(found) != 2 or found[0] > found[1]:
        raise node.error("is not a range of numbers of segments", "[least, most], such as [3, 12]")
    return found[0], found[1]


def _among(node: Node, kinds: Mapping[str, str]) -> Expression | None:
    among = node.get("among")
    return condition(among, kinds) if among else None


def _features(node: Node, kinds: Mapping[str, str]) -> tuple[str, ...]:
    names: list[str] = []
    for child in node.elements():
        name = child.text()
        if name not in kinds:
            raise child.error(f"unknown feature {name!r}", nearest(name, kinds))
        if kinds[name] != "number":
            raise child.error(f"{name!r} is a {kinds[name]}", "features that are numbers")
        if name in names:
            raise child.error(f"{name!r} is named twice", "each feature once")
        names.append(name)
    if not names:
        raise node.error("is empty", "features that are numbers")
    return tuple(names)


def _horizon(node: Node) -> int:
    horizon_ms = node.duration_ms()
    if horizon_ms % DAY:
        raise node.error(f"{node.value} is not whole days", "a horizon such as 7d")
    return horizon_ms


__all__ = [
    "Bands",
    "Form",
    "Holds",
    "Largest",
    "Learning",
    "Outcome",
    "Precision",
    "Segmentation",
    "Task",
    "TopShare",
    "Windows",
    "declare",
]
