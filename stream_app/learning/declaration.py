"""What is to be learned: reading the catalogue's `learning:` section."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from stream_app.domain.clock import DAY
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
from stream_app.learning.tasks import RESERVED, UNUSUAL_BEHAVIOUR
from stream_app.learning.vocabulary import (
    read_families,
    read_feature,
    read_features,
    read_words,
)

MAX_GAP_MS: Final = 2 * DAY
HOLDOUT: Final = 0.05
MAX_FLIPS: Final = 0.1
SEGMENTS: Final = (3, 12)
MOST_SEGMENTS: Final = 32
#: Largest share of users who can be unusual.
MOST_UNUSUAL: Final = 0.2
_SECTIONS: Final = ("max_gap", "families", "words", "predictions", "segments", "unusual")
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
    """Segments of users that are alike in `features`; from `k[0]` to `k[1]` of them.

    Of the feature `share_of` each segment's share of the sum is told.
    """

    features: tuple[str, ...]
    rate: float
    k: tuple[int, int] = SEGMENTS
    among: Expression | None = None
    share_of: str | None = None


@dataclass(frozen=True)
class Unusual:
    """Users whose `features` are unlike the others': about the share `top` of them.

    They are learned from the samples for segments, and among the same users.
    """

    features: tuple[str, ...]
    top: float
    description: str = ""


@dataclass(frozen=True)
class Learning:
    """All that is learned; `columns` are the features of all of it, in the catalogue's order.

    Nothing is learned from windows that hold a pause of all events longer than `max_gap_ms`.
    `families` tell of a feature what it is told as, together with others; `words` how a low and a
    high value are called. `quantiles` are those of the population that rules use.
    """

    tasks: tuple[Task, ...]
    segmentation: Segmentation | None
    max_gap_ms: int
    columns: tuple[str, ...]
    families: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    unusual: Unusual | None = None
    quantiles: tuple[str, ...] = ()


def declare(
    node: Node,
    kinds: Mapping[str, str],
    windows: Windows,
    tags: Collection[str] = (),
    quantiles: Collection[str] = (),
) -> Learning:
    """Read `learning:`; raises DeclarationError with file, line and field.

    `kinds` of all features in declared order ("number", "text", "list"), `windows` of those that
    have one, and the names of the rules' `tags`, which no prediction may have. `quantiles` are what
    rules use of the population, such as "q90.spend_30d"; the samples for segments tell them.
    """
    node.check_keys(_SECTIONS)
    given = dict(node.items())
    predictions = given["predictions"].items() if "predictions" in given else ()
    tasks = tuple(_task(name, child, kinds, windows, tags) for name, child in predictions)
    segmentation = _segmentation(given["segments"], kinds) if "segments" in given else None
    unusual = _unusual(given["unusual"], kinds, tags) if "unusual" in given else None
    if unusual is not None and segmentation is None:
        raise given["unusual"].error("has no users to learn from", "`segments`, which draws them")
    if quantiles and segmentation is None:
        problem = f"rules use {min(quantiles)}, and no users are drawn to tell it"
        raise node.error(problem, "`segments`, which draws them")
    if not tasks and segmentation is None:
        raise node.error("says not what to learn", "predictions, segments or both")
    return Learning(
        tasks,
        segmentation,
        given["max_gap"].duration_ms() if "max_gap" in given else MAX_GAP_MS,
        _used(kinds, tasks, segmentation, unusual, quantiles),
        read_families(given["families"], kinds) if "families" in given else {},
        read_words(given["words"], kinds) if "words" in given else {},
        unusual,
        tuple(sorted(quantiles)),
    )


def _used(
    kinds: Mapping[str, str],
    tasks: Collection[Task],
    segmentation: Segmentation | None,
    unusual: Unusual | None,
    quantiles: Collection[str],
) -> tuple[str, ...]:
    """The features of all that is learned, in the catalogue's order."""
    used = {name for task in tasks for name in (*task.features, *task.challenger)}
    if segmentation is not None:
        used.update(segmentation.features)
        used.update([segmentation.share_of] if segmentation.share_of else [])
    used.update(unusual.features if unusual else ())
    used.update(name.partition(".")[2] for name in quantiles)
    return tuple(name for name in kinds if name in used)


def _task(
    name: str, node: Node, kinds: Mapping[str, str], windows: Windows, tags: Collection[str]
) -> Task:
    if not _NAME.fullmatch(name):
        expected = "small letters, digits and _, at most 63, a letter first"
        raise node.error(f"{name!r} is not a name for a tag", expected)
    if name in RESERVED:
        raise node.error(f"{name!r} is the name of another model", "another name")
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
        description=_told(description),
        among=_among(node, kinds),
        features=read_features(given["features"], kinds),
        outcome=outcome,
        horizon_ms=horizon_ms,
        rate=share(given["rate"]),
        form=read_form(node),
        holdout=below_one(holdout) if holdout else HOLDOUT,
        challenger=read_features(challenger, kinds) if challenger else (),
        max_flips=share(flips) if flips else MAX_FLIPS,
        every_days=every_days(outcome, windows),
    )


def _segmentation(node: Node, kinds: Mapping[str, str]) -> Segmentation:
    keys = ("features", "rate", "k", "among", "share_of")
    node.check_keys(keys, required=("features", "rate"))
    given = dict(node.items())
    k, share_of = given.get("k"), given.get("share_of")
    return Segmentation(
        features=read_features(given["features"], kinds),
        rate=share(given["rate"]),
        k=_numbers(k) if k else SEGMENTS,
        among=_among(node, kinds),
        share_of=read_feature(share_of, kinds) if share_of else None,
    )


def _unusual(node: Node, kinds: Mapping[str, str], tags: Collection[str]) -> Unusual:
    if UNUSUAL_BEHAVIOUR in tags:
        problem = f"a tag {UNUSUAL_BEHAVIOUR!r} is declared already"
        raise node.error(problem, "another name for it")
    node.check_keys(("features", "top", "description"), required=("features", "top"))
    given = dict(node.items())
    return Unusual(
        features=read_features(given["features"], kinds),
        top=share(given["top"], most=MOST_UNUSUAL),
        description=_told(given.get("description")),
    )


def _told(node: Node | None) -> str:
    return " ".join(node.text().split()) if node else ""


def _numbers(node: Node) -> tuple[int, int]:
    found = [child.integer(2, MOST_SEGMENTS) for child in node.elements()]
    if len(found) != 2 or found[0] > found[1]:
        raise node.error("is not a range of numbers of segments", "[least, most], such as [3, 12]")
    return found[0], found[1]


def _among(node: Node, kinds: Mapping[str, str]) -> Expression | None:
    among = node.get("among")
    return condition(among, kinds) if among else None


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
    "Unusual",
    "Windows",
    "declare",
]
