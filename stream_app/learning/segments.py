"""Segments of a population: how many there are, where, under which ids and names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream_app.learning.assignment import UNUSUAL, assign
from stream_app.learning.choice import Check, choose
from stream_app.learning.lineage import Lineage, Transition, first_ids, follow
from stream_app.learning.lloyd import Fit, fit_centres
from stream_app.learning.naming import Words, names_of
from stream_app.learning.scale import Dropped, Scale, fit_scale, scaled
from stream_app.learning.scorers import Centroids

Floats = NDArray[np.float64]

#: Fewer vectors than this for each centre are no ground to tell segments apart.
LEAST: Final = 20
#: Standard deviations, by the median's spread, beyond which a distance is no one's usual.
_FAR: Final = 3.5


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
    """A fit, and what the next one goes on from.

    `labels` (k) are the segments' names in words, `dropped` the features left out and why, `check`
    how k was chosen, `transitions` what became of the segments before. `sample` (m, c) has the
    columns `columns`; `issued` counts ids, `fits` fits.
    """

    centroids: Centroids
    labels: tuple[str, ...]
    dropped: tuple[Dropped, ...]
    check: Check
    transitions: tuple[Transition, ...]
    columns: tuple[str, ...]
    sample: Floats
    issued: int
    fits: int


def fit_segments(
    values: Floats,
    columns: Sequence[str],
    settings: Settings,
    before: Segments | None = None,
) -> Segments:
    """Fit segments to vectors (n, c) with NaN for missing, going on from the fit `before`.

    The same for the same vectors in whatever order. ValueError for fewer than LEAST vectors for
    each of the fewest segments, or fewer distinct ones than segments.
    """
    if len(values) < LEAST * settings.k[0]:
        raise ValueError(f"{len(values)} vectors: too few for {settings.k[0]} segments")
    values = _ordered(values)
    rng = np.random.default_rng((settings.seed, before.fits if before else 0))
    out = [one.feature for one in before.dropped] if before else []
    scale = fit_scale(values, columns, out)
    z = scaled(_columns(values, columns, scale.features), scale.median, scale.spread)
    check, centres = choose(z, settings.k, rng, settings.budget, before.check if before else None)
    fit = _fit(z, centres, rng, settings.budget, scale, before)
    sample = values[np.sort(rng.permutation(len(values))[: settings.sample])]
    plain = _centroids(fit, scale, settings, [str(j) for j in range(check.k)])
    lineage = _lineage(plain, sample, columns, before)
    labels = names_of(fit.centres, scale.features, settings.words, _labels(lineage.ids, before))
    return Segments(
        centroids=_centroids(fit, scale, settings, lineage.ids),
        labels=labels,
        dropped=scale.dropped,
        check=check,
        transitions=lineage.transitions,
        columns=tuple(columns),
        sample=sample,
        issued=lineage.issued,
        fits=1 + (before.fits if before else 0),
    )


def select(values: Floats, columns: Sequence[str], centroids: Centroids) -> Floats:
    """Return the columns (n, w) of vectors (n, c) that the centroids are over."""
    return _columns(values, columns, centroids.names)


def _fit(
    z: Floats,
    centres: Floats,
    rng: np.random.Generator,
    trim: float,
    scale: Scale,
    before: Segments | None,
) -> Fit:
    """Fit from where the segments stood, if as many, else from `centres`, the largest first."""
    k = len(centres)
    if before is not None and len(before.centroids.ids) == k:
        return fit_centres(z, k, rng, warm=_moved(before.centroids, scale), trim=trim)
    fit = fit_centres(z, k, rng, warm=centres, trim=trim)
    order = np.argsort(-np.bincount(fit.labels, minlength=k), kind="stable")
    return fit._replace(centres=fit.centres[order], labels=np.argsort(order)[fit.labels])


def _moved(centroids: Centroids, scale: Scale) -> Floats:
    """Return centres as they are on another scale; a feature that they lack is at the median."""
    logs = np.array(centroids.centre) * centroids.spread + centroids.median
    by_name: Mapping[str, Floats] = dict(zip(centroids.names, logs.T, strict=True))
    k = len(centroids.ids)
    found = [
        (by_name.get(name, np.full(k, median)) - median) / spread
        for name, median, spread in zip(scale.features, scale.median, scale.spread, strict=True)
    ]
    return np.array(found).T


def _bound(fit: Fit, budget: float) -> float:
    """Return the distance that is unusual, and that at most the budget is beyond.

    Median and median deviation are what those who are usual make them, however far others are.
    """
    apart = np.sqrt(fit.squared)
    middle = np.median(apart)
    robust = middle + _FAR * 1.4826 * np.median(np.abs(apart - middle))
    return float(max(robust, np.quantile(apart, 1.0 - budget, method="higher")))


def _centroids(fit: Fit, scale: Scale, settings: Settings, ids: Sequence[str]) -> Centroids:
    bound = _bound(fit, settings.budget)
    usual = fit.labels[np.sqrt(fit.squared) <= bound]
    return Centroids(
        ids=list(ids),
        names=list(scale.features),
        centre=fit.centres.tolist(),
        median=scale.median.tolist(),
        spread=scale.spread.tolist(),
        bound=bound,
        sizes=np.bincount(usual, minlength=len(ids)).tolist(),
        margin=settings.margin,
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
    both = np.concatenate(
        [
            _columns(before.sample, before.columns, shared),
            _columns(sample, columns, shared),
        ]
    )
    was = assign(old, _columns(both, shared, old.names))
    now = assign(plain, _columns(both, shared, plain.names))
    overlap = np.zeros((len(old.ids) + 1, len(plain.ids) + 1), dtype=np.int64)
    rows = {name: i for i, name in enumerate((*old.ids, UNUSUAL))}
    places = {name: j for j, name in enumerate((*plain.ids, UNUSUAL))}
    np.add.at(overlap, ([rows[name] for name in was], [places[name] for name in now]), 1)
    return follow(old.ids, overlap[:-1, :-1], before.issued)


def _labels(ids: Sequence[str], before: Segments | None) -> list[str | None]:
    known = dict(zip(before.centroids.ids, before.labels, strict=True)) if before else {}
    return [known.get(name) for name in ids]


def _ordered(values: Floats) -> Floats:
    found: Floats = np.ascontiguousarray(values[np.lexsort(values.T[::-1])])
    return found


def _columns(values: Floats, columns: Sequence[str], names: Sequence[str]) -> Floats:
    """Return the named columns in that order; one that is not there is missing in all."""
    at = {name: j for j, name in enumerate(columns)}
    none = np.full(len(values), np.nan)
    return np.array([values[:, at[name]] if name in at else none for name in names]).T
