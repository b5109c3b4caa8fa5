"""The segments in use as tables: what they are, how large, and what became of the former ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
from msgspec import Struct
from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from stream_app.cli.format import operand
from stream_app.domain.clock import to_rfc3339
from stream_app.learning.naming import ENTERS
from stream_app.learning.scorers import Centroids
from stream_app.learning.snapshot import Model
from stream_app.learning.transform import expand

_MOST_TRAITS: Final = 4
_FATES: Final = {
    "born": "new: {after}",
    "died": "gone: {before}",
    "split": "{before} split into {after}",
    "merged": "{before} became {after}",
}


class Apart(Struct, frozen=True):
    """A feature's value at a segment's centre, against the population's median."""

    feature: str
    value: float
    typical: float
    spreads: float


class Described(Struct, frozen=True):
    """A segment: its `share` of the users fitted to, and of the sum of a feature."""

    id: str
    name: str
    users: int
    share: float
    share_of_sum: float | None
    since: str | None
    apart: list[Apart]


class Former(Struct, frozen=True):
    """What became of segments with the version of a day."""

    day: str
    version: int
    fate: str
    before: list[str]
    after: list[str]


def described(model: Model) -> list[Described]:
    """The segments of a model, the largest first; raises ValueError for another kind of model."""
    scorer = _centroids(model)
    everyone = max(1, model.trained.examples)
    found = [
        Described(
            id=name,
            name=scorer.labels[j] if scorer.labels else "",
            users=scorer.sizes[j],
            share=scorer.sizes[j] / everyone,
            share_of_sum=scorer.shares[j] if scorer.shares else None,
            since=to_rfc3339(scorer.since[j])[:10] if scorer.since else None,
            apart=list(_apart(scorer, j)),
        )
        for j, name in enumerate(scorer.ids)
    ]
    return sorted(found, key=lambda segment: -segment.users)


def former(versions: Sequence[Model]) -> list[Former]:
    """What happened to segments, the newest first; those that went on are left out.

    Those that are new with a version are told in one, and so are those that are gone.
    """
    found = []
    for model in reversed(versions):
        alone: dict[str, Former] = {}
        for change in _centroids(model).transitions:
            one = Former(_day(model), model.version, change.fate, [*change.before], [*change.after])
            if change.fate in ("split", "merged"):
                found.append(one)
            elif change.fate != "survived":
                told = alone.setdefault(change.fate, one)
                if told is not one:
                    told.before.extend(one.before)
                    told.after.extend(one.after)
        found += alone.values()
    return found


def plain(model: Model, changes: Sequence[Former], share_of: str | None = None) -> dict[str, Any]:
    """All of it as JSON has it; `share_of` is the feature whose sum is shared."""
    return {
        "version": model.version,
        "fitted": _day(model),
        "share_of": share_of,
        "users": model.trained.examples,
        "unusual": _unusual(model),
        "segments": described(model),
        "changes": changes,
        "left_out": _centroids(model).dropped,
    }


def shown(
    model: Model, changes: Sequence[Former], share_of: str | None = None
) -> Iterator[RenderableType]:
    """Segments, then what became of former ones, then the features that were left out."""
    yield segment_table(model, share_of)
    if changes:
        yield Text("What became of segments", style="bold")
        for change in changes:
            before, after = ", ".join(change.before), ", ".join(change.after)
            words = _FATES.get(change.fate, change.fate).format(before=before, after=after)
            yield Text(f"  {change.day}  {words}")
        yield ""
    dropped = _centroids(model).dropped
    if dropped:
        yield Text("Left out, because they say what another feature says", style="bold")
        for twin in dropped:
            yield Text(f"  {twin.feature}, like {twin.like} (correlation {twin.correlation:.2f})")


def segment_table(model: Model, share_of: str | None = None, *, traits: bool = True) -> Table:
    """The segments, the largest first, with or without the `traits` that their names come from.

    Raises ValueError for another kind of model.
    """
    segments = described(model)
    sums, since = (
        any(getattr(one, name) is not None for one in segments)
        for name in ("share_of_sum", "since")
    )
    table = Table("segment", "name", box=SIMPLE_HEAD, pad_edge=False)
    table.columns[0].no_wrap = True
    for name in ("users", "share", *([f"of {share_of or 'the sum'}"] if sums else [])):
        table.add_column(name, justify="right")
    if since:
        table.add_column("since", no_wrap=True)
    if traits:
        table.add_column("what sets it apart (typical of all)")
    for one in segments:
        cells = [one.id, one.name, f"{one.users:,}", f"{one.share:.1%}"]
        cells += [_percent(one.share_of_sum)] if sums else []
        cells += [one.since or "-"] if since else []
        cells += [_traits(one.apart)] if traits else []
        table.add_row(*map(escape, cells))
    users, unusual = model.trained.examples, _unusual(model)
    share = _percent(unusual / max(1, users))
    table.add_row("unusual", "far from all", f"{unusual:,}", share, style="dim")
    silhouette = model.metrics.get("silhouette")
    apart = "" if silhouette is None else f", silhouette {silhouette:.2f}"
    table.caption = f"version {model.version}, fitted {_day(model)} to {users:,} users{apart}"
    table.caption_justify = "left"
    return table


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _traits(apart: Sequence[Apart]) -> str:
    told = [
        f"{trait.feature} {operand(trait.value)} ({operand(trait.typical)})"
        for trait in apart[:_MOST_TRAITS]
    ]
    return ", ".join(told) or "nothing: as most users"


def _apart(scorer: Centroids, j: int) -> Iterator[Apart]:
    """What is farther from the median than enters a name, the farthest first."""
    z, median, spread = (np.array(of) for of in (scorer.centre[j], scorer.median, scorer.spread))
    values, typical = expand(z * spread + median), expand(median)
    for i in np.argsort(-np.abs(z), kind="stable").tolist():
        if abs(z[i]) >= ENTERS:
            yield Apart(scorer.names[i], _short(values[i]), _short(typical[i]), float(z[i]))


def _short(value: float) -> float:
    """Out of the logarithm and back, 18 is 17.999999999999996, and 0 may be 4e-16."""
    return float(f"{round(value, 9):.6g}")


def _unusual(model: Model) -> int:
    return max(0, model.trained.examples - sum(_centroids(model).sizes))


def _day(model: Model) -> str:
    return to_rfc3339(model.created_at)[:10]


def _centroids(model: Model) -> Centroids:
    if not isinstance(model.scorer, Centroids):
        raise ValueError(f"{model.task} {model.version} is a model of kind {model.kind}")
    return model.scorer
