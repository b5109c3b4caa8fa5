"""What learned scores are compared with: single features, and models that are fitted anew.

All are scored on the same examples at sample time, and know nothing that had not closed by then.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.batch import CLICKS
from stream_app.domain.clock import DAY
from stream_app.features.declaration import Declaration
from stream_app.learning.measures import auc
from stream_app.learning.transform import Design
from stream_app.report.journal import Examples

Floats = NDArray[np.float64]

#: Days from one fit of the comparison to the next.
REFIT_DAYS: Final = 7
_ITERATIONS: Final = 300


class Single(NamedTuple):
    """A feature as a score: `sign` 1 if more of it means likelier, `missing` where no value is."""

    feature: str
    sign: int
    missing: float

    def scores(self, values: Floats) -> Floats:
        """The scores (n,) of the feature's values (n,)."""
        return self.sign * np.nan_to_num(values, nan=self.missing)


def refit_scores(examples: Examples, vectors: Floats, columns: Sequence[str]) -> Floats:
    """Scores (n,) of scikit-learn's logistic regression, fitted anew every week.

    Vectors (N, c) of `columns`. A fit at a day's end sees all examples that have closed by then,
    and scores those that are sampled later, as a published version does; NaN before the first.
    """
    design = Design(columns).matrix(vectors[examples.row])
    found = np.full(len(examples), np.nan)
    order = np.argsort(examples.at, kind="stable")
    ascending = examples.at[order]
    for start, end, known in _weeks(examples):
        model = _fitted(design[:known], examples.positive[:known])
        first, last = np.searchsorted(ascending, (start, end), "right")
        if first < last:
            chosen = order[first:last]
            found[chosen] = model.predict_proba(design[chosen])[:, 1]
    return found


def _weeks(examples: Examples) -> Iterable[tuple[int, int, int]]:
    """The day end (ms) of each fit, that of the next one, and how many have closed by then."""
    days = np.unique(examples.closed)
    start = None
    for day in days.tolist():
        known = int(np.searchsorted(examples.closed, day, "right"))
        positives = int(examples.positive[:known].sum())
        if 0 < positives < known and (start is None or day >= start + REFIT_DAYS * DAY):
            start = day
            later = days[days >= day + REFIT_DAYS * DAY]
            yield start, int(later[0]) if len(later) else np.iinfo(np.int64).max, known


def _fitted(design: Floats, positive: NDArray[np.bool_]) -> Any:
    from scipy.linalg import LinAlgWarning
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    # Few names and many examples: the solver that is four times as fast, to the same end.
    regression = LogisticRegression(solver="newton-cholesky", max_iter=_ITERATIONS)
    model = make_pipeline(StandardScaler(), regression)
    with warnings.catch_warnings():
        # Early fits have few examples for many names.
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", LinAlgWarning)
        return model.fit(design, positive)


def best_single(
    examples: Examples, vectors: Floats, columns: Sequence[str], cohorts: Sequence[int]
) -> Single | None:
    """The feature whose AUC, averaged inside the cohorts sampled at `cohorts` (ms), is highest.

    Chosen with hindsight, with either sign, and missing values below or above all: more than any
    model could know.
    """
    groups = [np.flatnonzero(examples.at == at) for at in cohorts]
    best, highest = None, -1.0
    for j, name in enumerate(columns):
        values = vectors[examples.row, j]
        for missing in (-np.inf, np.inf):
            filled = np.nan_to_num(values, nan=missing, posinf=np.inf, neginf=-np.inf)
            found = [auc(filled[i], examples.positive[i]) for i in groups]
            known = [one for one in found if one is not None]
            mean = float(np.mean(known)) if known else 0.5
            if max(mean, 1 - mean) > highest:
                highest = max(mean, 1 - mean)
                best = Single(name, 1 if mean >= 0.5 else -1, missing)
    return best


def recency_of(
    outcome: Iterable[str], columns: Sequence[str], declared: Mapping[str, Declaration]
) -> str | None:
    """The column of hours since the kind of event that the outcome counts, or the nearest such.

    Nearest: it counts one of the same types of events; else the first of its kind.
    """
    since = [name for name in columns if declared[name].kind == "hours_since"]
    counted = [part.source for name in outcome for part in _parts(name, declared)]

    def distance(name: str) -> int:
        source = declared[name].source
        same = [one for one in counted if set(one.types) & set(source.types)]
        return 2 - bool(same) - any(one.where == source.where for one in same)

    return min(since, key=distance, default=None)


def reads_clicks(features: Iterable[str], declared: Mapping[str, Declaration]) -> list[str]:
    """Those of `features` that clicks have a say in; in how long a user is known, too."""
    return [
        name
        for name in features
        if any(
            one.kind == "tenure" or CLICKS in one.source.topics for one in _parts(name, declared)
        )
    ]


def _parts(name: str, declared: Mapping[str, Declaration]) -> list[Declaration]:
    """A feature, or those that a ratio is made of."""
    one = declared[name]
    if one.kind != "ratio":
        return [one]
    return [found for part in one.of for found in _parts(part, declared)]
