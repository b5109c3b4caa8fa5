"""What a model scores with: arrays, as plain lists, so that any process can read them.

`names` are the w columns of the design matrix; other lists run over them unless said otherwise.
A scorer's `faults` are what no schema can say of it; none for one that can be used.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from stream_app.learning.training import At, Count, Name, Probability

Names = Annotated[list[Name], Meta(min_length=1)]
Positive = Annotated[float, Meta(gt=0)]
FromZero = Annotated[float, Meta(ge=0)]
Floats = list[float]


class Logistic(Struct, frozen=True, gc=False, kw_only=True, tag_field="kind", tag="logistic"):
    """sigmoid(weights · (x - mean) / scale + intercept), then Platt's sigmoid where there is one.

    `scale` is 1 where a column does not vary. `platt` (a, b) makes the logit z into a z + b.
    `reference` is the mean contribution of each column, which reasons are compared with.
    """

    names: Names
    mean: Floats
    scale: list[Positive]
    weights: Floats
    intercept: float
    platt: tuple[float, float] | None
    reference: Floats

    def faults(self) -> Iterator[str]:
        """What is wrong beyond the schema, each naming its field."""
        yield from _repeated("names", self.names)
        lists = {f: getattr(self, f) for f in ("mean", "scale", "weights", "reference")}
        yield from _unequal(lists, len(self.names))


class HalfSpaceTrees(Struct, frozen=True, gc=False, kw_only=True, tag_field="kind", tag="trees"):
    """Complete binary trees of height h, (t, nodes), breadth first: node i has 2i + 1 and 2i + 2.

    A value is clipped to [low, high] of its column, then goes left where it is below the node's
    threshold. `feature` (index into `names`) and `threshold` have the 2^h - 1 inner nodes, `mass`
    all 2^(h + 1) - 1: how many of the last full window of `window` examples came through. `median`
    and `spread` of the names are what is usual, for reasons; a spread is 1 where nothing varies.
    """

    names: Names
    low: Floats
    high: Floats
    window: Annotated[int, Meta(ge=1, le=2**53 - 1)]
    feature: Annotated[list[list[Count]], Meta(min_length=1)]
    threshold: Annotated[list[list[float]], Meta(min_length=1)]
    mass: Annotated[list[list[Count]], Meta(min_length=1)]
    median: Floats
    spread: list[Positive]

    def faults(self) -> Iterator[str]:
        """What is wrong beyond the schema, each naming its field."""
        yield from _repeated("names", self.names)
        lists = {f: getattr(self, f) for f in ("low", "high", "median", "spread")}
        yield from _unequal(lists, len(self.names))
        if any(low > high for low, high in zip(self.low, self.high, strict=False)):
            yield "low: above high"
        inner = len(self.feature[0])
        if inner & (inner + 1):
            yield f"feature[0]: {inner} nodes are no complete binary tree"
        trees, nodes = len(self.feature), 2 * inner + 1
        yield from _unequal({"threshold": self.threshold, "mass": self.mass}, trees, "trees")
        yield from _unequal(_rows("feature", self.feature), inner, "inner nodes")
        yield from _unequal(_rows("threshold", self.threshold), inner, "inner nodes")
        yield from _unequal(_rows("mass", self.mass), nodes, "nodes")
        if any(max(tree, default=0) >= len(self.names) for tree in self.feature):
            yield f"feature: an index beyond the {len(self.names)} names"


class Change(Struct, frozen=True, gc=False, kw_only=True):
    """What became of segments since the fit before; an id in `before` and `after` goes on."""

    fate: Literal["survived", "split", "merged", "born", "died"]
    before: list[Name]
    after: list[Name]


class Twin(Struct, frozen=True, gc=False, kw_only=True):
    """A feature that no segment is told by, because it says what another one, `like`, says."""

    feature: Name
    like: Name
    correlation: Annotated[float, Meta(ge=-1, le=1)]


class Centroids(Struct, frozen=True, gc=False, kw_only=True, tag_field="kind", tag="centroids"):
    """k segments: the nearest of `centre` (k, w) to (x - median) / spread.

    A user farther than `bound` from all is `unusual`; who has a segment keeps it until another is
    nearer by `margin`. `ids` and `sizes` (users at fitting) are (k,). So are `labels` (names in
    words), `since` (the day end at which the id was first used) and `shares` (each segment's share
    of the sum of a feature; None without one), but empty where an earlier version published.

    `issued` ids, `fits` fits, and the number of segments that won the last check (`challenger`,
    and is taken when it wins the next) are what the next fit goes on from.
    """

    ids: Names
    names: Names
    centre: list[Floats]
    median: Floats
    spread: list[Positive]
    bound: FromZero
    sizes: list[Count]
    margin: FromZero
    labels: list[Name] = field(default_factory=list)
    since: list[At] = field(default_factory=list)
    shares: list[Probability] | None = None
    transitions: list[Change] = field(default_factory=list)
    dropped: list[Twin] = field(default_factory=list)
    issued: Count = 0
    fits: Count = 0
    challenger: Count | None = None

    def faults(self) -> Iterator[str]:
        """What is wrong beyond the schema, each naming its field."""
        yield from _repeated("ids", self.ids)
        yield from _repeated("names", self.names)
        told = {f: getattr(self, f) for f in ("labels", "since", "shares") if getattr(self, f)}
        lists: dict[str, Sequence[object]] = {"centre": self.centre, "sizes": self.sizes, **told}
        yield from _unequal(lists, len(self.ids), "ids")
        yield from _unequal({"median": self.median, "spread": self.spread}, len(self.names))
        yield from _unequal(_rows("centre", self.centre), len(self.names))


class Quantiles(Struct, frozen=True, gc=False, kw_only=True, tag_field="kind", tag="quantiles"):
    """How the population is spread: for each column (q, value) by rising q; untransformed values.

    A column of which no value was seen has an empty list.
    """

    by_column: dict[Name, list[tuple[Probability, float]]]

    def faults(self) -> Iterator[str]:
        """What is wrong beyond the schema, each naming its field."""
        for name, pairs in self.by_column.items():
            if any(q >= p or a > b for (q, a), (p, b) in pairwise(pairs)):
                yield f"by_column.{name}: quantiles that do not rise"


Scorer = Logistic | HalfSpaceTrees | Centroids | Quantiles


def _repeated(field: str, names: Sequence[str]) -> Iterator[str]:
    if len(set(names)) < len(names):
        yield f"{field}: a name comes twice"


def _rows(field: str, matrix: Sequence[Sequence[float]]) -> dict[str, Sequence[float]]:
    return {f"{field}[{i}]": row for i, row in enumerate(matrix)}


def _unequal(
    lists: Mapping[str, Sequence[object]], length: int, of: str = "names"
) -> Iterator[str]:
    for name, entries in lists.items():
        if len(entries) != length:
            yield f"{name}: {len(entries)} entries for {length} {of}"
