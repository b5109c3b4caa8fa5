"""Segments of a population: how many there are, where, under which ids and names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream_app.learning.assignment import UNUSUAL, assign
from stream_app.learning.choice import Check, choose
from stream_app.learning.fitting import fitted, moved, nearest, plain_centroids, shares
from stream_app.learning.lineage import Lineage, first_ids, follow
from stream_app.learning.naming import Words, names_of
from stream_app.learning.scale import fit_scale, scaled
from stream_app.learning.scorers import Centroids, Change

Floats = NDArray[np.float64]

#: Fewer vectors than this for each centre are no ground to tell segments apart.
LEAST: Final = 20


@dataclass(frozen=True)
class Settings:
    """How to fit: least and most segments, seed, the largest share held as unusual, the margin.

    `words` name features in words; `sample` vectors, at most, are kept to follow segments by.
    """

    k: tuple[int, int] = (3, 12)
    seed: int = 0
    budget: float = 0.02
    margin: float = 0.15
    words: Words = field(default_factory=dict)
    sample: int = 4_000


@dataclass(frozen=True, eq=False)
class Segments:
    """A fit, and what the next one goes on from: nothing but what was published, and a sample.

    `sample` (m, c) of those who were fitted has the columns `columns`, and may be empty. `check` is
    how k was chosen; None for segments that were published by another process.
    """

    centroids: Centroids
    columns: tuple[str, ...]
    sample: Floats
    check: Check | None = None


def restored(
    centroids: Centroids, values: Floats, columns: Sequence[str], settings: Settings
) -> Segments:
    """Return what was fitted to vectors (n, c) from what was published of it.

    A fit goes on from it as from the fit itself if the vectors are the same; if there are none any
    more, it follows segments by the users of its own.
    """
    sample = _sample(_ordered(values)[0], centroids.fits, settings)
    return Segments(centroids, tuple(columns), sample)


def fit_segments(
    values: Floats,
    columns: Sequence[str],
    settings: Settings,
    before: Segments | None = None,
    at: int = 0,
    worth: Floats | None = None,
) -> Segments:
    """Fit segments to vectors (n, c) with NaN for missing, going on from the fit `before`.

    The same for the same vectors in whatever order. `at` is the day end (ms), `worth` (n,) what the
    segments' shares are of. ValueError for fewer than LEAST vectors for each of the fewest
    segments, or fewer distinct ones than segments.
    """
    if len(values) < LEAST * settings.k[0]:
        raise ValueError(f"{len(values)} vectors: too few for {settings.k[0]} segments")
    values, order = _ordered(values)
    old = before.centroids if before else None
    fits = old.fits if old else 0
    rng = np.random.default_rng((settings.seed, fits))
    scale = fit_scale(values, columns, [one.feature for one in old.dropped] if old else [])
    z = scaled(_columns(values, columns, scale.features), scale.median, scale.spread)
    check, centres = choose(z, settings.k, rng, settings.budget, _check(old))
    centres = fitted(z, centres, rng, settings.budget, scale, old)
    plain = plain_centroids(z, centres, scale, settings.budget, settings.margin)
    found = msgspec.structs.replace(
        plain,
        shares=None if worth is None else shares(nearest(z, plain), worth[order], check.k),
        fits=fits + 1,
        challenger=check.challenger,
    )
    sample = _sample(values, fits + 1, settings)
    named = _named(found, _lineage(plain, sample, columns, before), old, settings.words, at)
    return Segments(named, tuple(columns), sample, check)


def figures(found: Segments, before: Segments | None, users: int) -> dict[str, float | None]:
    """How good a fit is; each segment's share of the `users`, and how far its centre has moved."""
    c, check = found.centroids, found.check
    if check is None:
        return {}
    told: dict[str, float | None] = {
        "k": float(check.k),
        "silhouette": check.silhouettes[check.k],
        "stability": check.stabilities.get(check.k),
        "size_unusual": 1.0 - sum(c.sizes) / users,
    }
    told |= {f"size_{name}": n / users for name, n in zip(c.ids, c.sizes, strict=True)}
    went = moved(before.centroids, c) if before else {}
    return told | {f"moved_{name}": distance for name, distance in went.items()}


def select(values: Floats, columns: Sequence[str], centroids: Centroids) -> Floats:
    """Return the columns (n, w) of vectors (n, c) that the centroids are over."""
    return _columns(values, columns, centroids.names)


def _check(old: Centroids | None) -> Check | None:
    return Check(len(old.ids), {}, {}, old.challenger) if old else None


def _named(
    found: Centroids, lineage: Lineage, old: Centroids | None, words: Words, at: int
) -> Centroids:
    """Give segments their ids, ages and names, and tell what became of the old ones."""
    label_of = dict(zip(old.ids, old.labels, strict=False)) if old else {}
    since_of = dict(zip(old.ids, old.since, strict=False)) if old else {}
    before = [label_of.get(name) for name in lineage.ids]
    return msgspec.structs.replace(
        found,
        ids=list(lineage.ids),
        labels=list(names_of(np.array(found.centre), found.names, words, before)),
        since=[since_of.get(name, at) for name in lineage.ids],
        transitions=[
            Change(fate=one.fate, before=list(one.before), after=list(one.after))
            for one in lineage.transitions
        ],
        issued=lineage.issued,
    )


def _lineage(
    plain: Centroids, sample: Floats, columns: Sequence[str], before: Segments | None
) -> Lineage:
    """Follow the segments by samples of both fits; `plain` has its numbers as ids.

    By those of one fit alone, a segment that moved into another's place would pass for that one.
    """
    if before is None:
        return first_ids(len(plain.ids))
    old = before.centroids
    shared = [name for name in before.columns if name in columns]
    overlap = np.zeros((len(old.ids) + 1, len(plain.ids) + 1), dtype=np.int64)
    if shared:
        both = np.concatenate(
            [
                _columns(before.sample, before.columns, shared),
                _columns(sample, columns, shared),
            ]
        )
        was = assign(old, _columns(both, shared, old.names))
        now = assign(plain, _columns(both, shared, plain.names))
        rows = {name: i for i, name in enumerate((*old.ids, UNUSUAL))}
        places = {name: j for j, name in enumerate((*plain.ids, UNUSUAL))}
        np.add.at(overlap, ([rows[name] for name in was], [places[name] for name in now]), 1)
    return follow(old.ids, overlap[:-1, :-1], _issued(old))


def _issued(old: Centroids) -> int:
    """How many ids there were; earlier versions of stream_app did not tell it."""
    return max(old.issued, *(int(name[1:]) for name in old.ids if name[1:].isdigit()), 0)


def _sample(ordered: Floats, fits: int, settings: Settings) -> Floats:
    """Draw vectors to follow segments by, with a generator that nothing else has drawn from."""
    rng = np.random.default_rng((settings.seed, fits, 1))
    return ordered[np.sort(rng.permutation(len(ordered))[: settings.sample])]


def _ordered(values: Floats) -> tuple[Floats, NDArray[np.intp]]:
    """Return vectors in the order of their entries, and the places that they had."""
    order = np.lexsort(values.T[::-1])
    return np.ascontiguousarray(values[order]), order


def _columns(values: Floats, columns: Sequence[str], names: Sequence[str]) -> Floats:
    """Return the named columns in that order; one that is not there is missing in all."""
    at = {name: j for j, name in enumerate(columns)}
    none = np.full(len(values), np.nan)
    return np.array([values[:, at[name]] if name in at else none for name in names]).T
