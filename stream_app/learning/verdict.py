"""What a task's closed cohorts say of a version: its threshold, its state, its figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream_app.learning.calibration import Scored, logits
from stream_app.learning.cohort import Cohort
from stream_app.learning.cohorts import Counts
from stream_app.learning.declaration import Bands, Form, Precision, TopShare
from stream_app.learning.flips import Flips, flips
from stream_app.learning.measures import Measures
from stream_app.learning.snapshot import State, Trained
from stream_app.learning.thresholds import (
    NO_BAND,
    Threshold,
    banded,
    for_precision,
    for_top_share,
    selects,
)

Floats = NDArray[np.float64]

#: Fewer closed examples, or positive ones, are no ground for a model that tags.
LEAST_EXAMPLES: Final = 500
LEAST_POSITIVES: Final = 30
_MEASURES: Final = ("examples", "positives", "auc", "log_loss", "lift", "calibration", "precision")


def threshold_of(form: Form, closed: Sequence[Cohort], newest: Floats) -> Threshold | None:
    """The threshold of a flag; None for bands, and as long as nothing is known.

    For a precision it comes from the scores given at sample time in the cohorts that have closed,
    for a share from the scores `newest` (n,) of the newest vectors.
    """
    if isinstance(form, TopShare):
        if not len(newest):
            return None
        value = for_top_share(newest, form.share)
        return Threshold(value, None, None, int(selects(newest, value).sum()), 0)
    if isinstance(form, Precision) and closed:
        p = np.concatenate([cohort.scores for cohort in closed])
        y = np.concatenate([cohort.positive for cohort in closed])
        known = ~np.isnan(p)
        return for_precision(p[known], y[known], form.target) if known.any() else None
    return None


def state_of(form: Form, trained: Trained, threshold: Threshold | None) -> State:
    """The state of a version: only `live` ones tag, all others but `no data` score."""
    if trained.examples >= LEAST_EXAMPLES and not trained.positives:
        return "no data"
    if trained.examples < LEAST_EXAMPLES or trained.positives < LEAST_POSITIVES:
        return "warming"
    if isinstance(form, Bands):
        return "live"
    if threshold is None:
        return "warming"
    return "unreachable" if threshold.value is None else "live"


def cuts_of(form: Form, state: State, threshold: Threshold | None) -> list[float]:
    """The thresholds that a version publishes; none where it does not tag."""
    if state != "live":
        return []
    if isinstance(form, Bands):
        return list(form.edges)
    return [] if threshold is None or threshold.value is None else [threshold.value]


def flips_of(
    form: Form, old: tuple[Sequence[float], Floats], new: tuple[Sequence[float], Floats]
) -> Flips:
    """How many tags change when a version takes another's place; both as (cuts, scores (n,))."""
    if isinstance(form, Bands):
        nothing = np.full(len(old[1]), NO_BAND, dtype=np.int64)
        bands = banded(nothing, old[1], form.edges, form.margin)
        # Who has a band keeps it within the margin.
        return flips(bands, banded(bands, new[1], form.edges, form.margin), NO_BAND)
    before, after = (selects(p, cuts[0] if cuts else None) for cuts, p in (old, new))
    return flips(before, after)


def scored(cohort: Cohort) -> Scored:
    """A cohort with the logits that the champion had at sample time, before any scaling."""
    known = ~np.isnan(cohort.champion)
    return Scored(cohort.at, logits(cohort.champion[known]), cohort.positive[known])


def figures(
    form: Form, counts: Counts, cohort: Cohort | None, threshold: Threshold | None
) -> Iterator[tuple[str, float | None]]:
    """What is told of a version: examples by their ends, and the newest closed cohort's quality."""
    for name in ("cohorts", "open", "voided", "unmatched", "refused"):
        yield name, float(getattr(counts, name))
    if threshold is not None:
        yield "best_precision", threshold.precision
    if cohort is None:
        return
    yield "cohort", float(cohort.at)
    # Of bands, the best one is what somebody acts on; by score, since held-out users have no tag.
    quality = cohort.quality(
        selects(cohort.scores, form.edges[-1]) if isinstance(form, Bands) else None
    )
    groups: Mapping[str, Measures] = {
        "": quality.everyone,
        "held_out_": quality.held_out,
        "exposed_": quality.exposed,
    }
    for prefix, measures in groups.items():
        for name in _MEASURES:
            value = getattr(measures, name)
            yield prefix + name, None if value is None else float(value)
