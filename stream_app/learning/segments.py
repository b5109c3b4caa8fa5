"""Segments of a population: how many there are, where, under which ids and names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import fsum
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream_app.learning.assignment import UNUSUAL, assign
from stream_app.learning.choice import Check, choose
from stream_app.learning.kmeans import KMeans
from stream_app.learning.lineage import Lineage, first_ids, follow
from stream_app.learning.lloyd import squared_distances
from stream_app.learning.naming import Words, names_of
from stream_app.learning.scale import LIMIT, Scale, fit_scale, scaled
from stream_app.learning.scorers import Centroids, Change, Twin

Floats = NDArray[np.float64]

#: Fewer vectors than this for each centre are no ground to tell segments apart.
LEAST: Final = 20
#: Standard deviations, by the median's spread, beyond which a distance is no one's usual.
_FAR: Final = 3.5
#: Values above this would make sums infinite.
_MOST_WORTH: Final = 1e15


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
    centres = _fit(z, centres, rng, settings.budget, scale, old)
    plain = _centroids(z, centres, scale, settings)
    labels = _nearest(z, plain)
    sample = _sample(values, fits + 1, settings)
    lineage = _lineage(plain, sample, columns, before)
    known = dict(zip(old.ids, old.labels, strict=False)) if old else {}
    since = dict(zip(old.ids, old.since, strict=False)) if old else {}
    names = names_of(centres, scale.features, settings.words, [known.get(i) for i in lineage.ids])
    centroids = msgspec.structs.replace(
        plain,
        ids=list(lineage.ids),
        labels=list(names),
        since=[since.get(name, at) for name in lineage.ids],
        shares=None if worth is None else _shares(labels, worth[order], check.k),
        transitions=[
            Change(fate=one.fate, before=list(one.before), after=list(one.after))
            for one in lineage.transitions
        ],
        issued=lineage.issued,
        fits=fits + 1,
        challenger=check.challenger,
    )
    return Segments(centroids, tuple(columns), sample, check)


def select(values: Floats, columns: Sequence[str], centroids: Centroids) -> Floats:
    """Return the columns (n, w) of vectors (n, c) that the centroids are over."""
    return _columns(values, columns, centroids.names)


def moved(centroids: Centroids, to: Centroids) -> dict[str, float]:
    """How far segments went from one fit `to` the next, in its spreads, by the ids of both."""
    centres = _moved(centroids, to.names, np.array(to.median), np.array(to.spread))
    where = dict(zip(centroids.ids, centres, strict=True))
    return {
        name: float(np.linalg.norm(np.array(centre) - where[name]))
        for name, centre in zip(to.ids, to.centre, strict=True)
        if name in where
    }


def _check(old: Centroids | None) -> Check | None:
    return Check(len(old.ids), {}, {}, old.challenger) if old else None


def _fit(
    z: Floats,
    centres: Floats,
    rng: np.random.Generator,
    trim: float,
    scale: Scale,
    old: Centroids | None,
) -> Floats:
    """Fit from where the segments stood, if as many, else from `centres`, the largest first."""
    k = len(centres)
    goes_on = old is not None and len(old.ids) == k
    if old is not None and goes_on:
        centres = _moved(old, scale.features, scale.median, scale.spread)
    seed = int(rng.integers(2**31))
    model = KMeans(scale.features, k, warm_up=k, retained=len(z), trim=trim, seed=seed)
    model.broadcast(centres)
    model.learn_many(z)
    model.refit()
    assert model.centres is not None
    if goes_on:
        return model.centres
    sizes = np.bincount(model.predict_many(z), minlength=k)
    found: Floats = model.centres[np.argsort(-sizes, kind="stable")]
    return found


def _moved(centroids: Centroids, names: Sequence[str], median: Floats, spread: Floats) -> Floats:
    """Return centres as they are on another scale; a feature that they lack is at the median."""
    logs = np.array(centroids.centre) * centroids.spread + centroids.median
    by_name: Mapping[str, Floats] = dict(zip(centroids.names, logs.T, strict=True))
    found = [
        (by_name.get(name, np.full(len(logs), middle)) - middle) / width
        for name, middle, width in zip(names, median, spread, strict=True)
    ]
    # No user is farther out than that, however narrow the scale has become.
    return np.array(found).T.clip(-LIMIT, LIMIT)


def _bound(apart: Floats, budget: float) -> float:
    """Return the distance that is unusual, and that at most the budget is beyond.

    Median and median deviation are what those who are usual make them, however far others are.
    """
    middle = np.median(apart)
    robust = middle + _FAR * 1.4826 * np.median(np.abs(apart - middle))
    return float(max(robust, np.quantile(apart, 1.0 - budget, method="higher")))


def _centroids(z: Floats, centres: Floats, scale: Scale, settings: Settings) -> Centroids:
    """Return the segments of a fit, with their numbers as ids."""
    squared = squared_distances(z, centres)
    apart = np.sqrt(squared.min(axis=1))
    bound = _bound(apart, settings.budget)
    sizes = np.bincount(squared.argmin(axis=1)[apart <= bound], minlength=len(centres))
    return Centroids(
        ids=[str(j) for j in range(len(centres))],
        names=list(scale.features),
        centre=centres.tolist(),
        median=scale.median.tolist(),
        spread=scale.spread.tolist(),
        bound=bound,
        sizes=sizes.tolist(),
        margin=settings.margin,
        dropped=[
            Twin(feature=one.feature, like=one.like, correlation=min(1.0, max(-1.0, one.r)))
            for one in scale.dropped
        ],
    )


def _nearest(z: Floats, centroids: Centroids) -> NDArray[np.intp]:
    """Return the numbers of the segments (n,) of scaled vectors; k for those who are unusual."""
    squared = squared_distances(z, np.array(centroids.centre))
    beyond = np.sqrt(squared.min(axis=1)) > centroids.bound
    found: NDArray[np.intp] = np.where(beyond, len(centroids.ids), squared.argmin(axis=1))
    return found


def _shares(labels: NDArray[np.intp], worth: Floats, k: int) -> list[float]:
    """Return each segment's share of the sum of `worth` (n,), negative and missing ones left out.

    Exact sums, which do not depend on the order.
    """
    worth = np.where(worth > 0, np.minimum(worth, _MOST_WORTH), 0.0)
    whole = fsum(worth.tolist())
    return [min(1.0, fsum(worth[labels == j].tolist()) / whole) if whole else 0.0 for j in range(k)]


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
