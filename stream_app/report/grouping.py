"""Segments over time, and scikit-learn's k-means at the same k on the same vectors."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from stream_app.learning.assignment import UNUSUAL, assign
from stream_app.learning.quality import adjusted_rand
from stream_app.learning.scale import scaled
from stream_app.learning.scorers import Centroids
from stream_app.learning.snapshot import Model
from stream_app.report.journal import Fitted, Floats
from stream_app.report.words import date

_STARTS: Final = 10
#: Vectors, at most, of which silhouettes are taken: these take the square of it.
_SAMPLE: Final = 3_000


def told(model: Model) -> dict[str, Any]:
    """What a version of the segments' model says: ids, labels, sizes, what became of others."""
    scorer = model.scorer
    assert isinstance(scorer, Centroids)
    return {
        "at": date(model.created_at),
        "version": model.version,
        "k": len(scorer.ids),
        "users": model.trained.examples,
        "segments": [
            {"id": name, "label": label, "size": size}
            for name, label, size in zip(scorer.ids, scorer.labels, scorer.sizes, strict=True)
        ],
        "transitions": [
            {"fate": one.fate, "before": list(one.before), "after": list(one.after)}
            for one in scorer.transitions
        ],
        "silhouette": model.metrics.get("silhouette"),
        "stability": model.metrics.get("stability"),
    }


def beside_k_means(fit: Fitted) -> dict[str, float]:
    """Silhouettes of ours and of scikit-learn's k-means, and how far they agree (adjusted Rand).

    On the users who are in a segment: nobody who is `unusual`. Empty where there are too few.
    """
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score

    scorer, values = fit.model.scorer, fit.vectors
    assert isinstance(scorer, Centroids)
    values = values[:, [fit.model.columns.index(name) for name in scorer.names]]
    ours = np.array(assign(scorer, values))
    usual = ours != UNUSUAL
    z: Floats = scaled(values, np.array(scorer.median), np.array(scorer.spread))[usual]
    ours, k = ours[usual], len(scorer.ids)
    if len(np.unique(ours)) < 2 or len(z) <= k:
        return {}
    theirs = KMeans(k, n_init=_STARTS, random_state=0).fit_predict(z)
    sample = min(_SAMPLE, len(z))
    return {
        "silhouette": float(silhouette_score(z, ours, sample_size=sample, random_state=0)),
        "k_means_silhouette": float(
            silhouette_score(z, theirs, sample_size=sample, random_state=0)
        ),
        "agreement": adjusted_rand(ours, theirs),
    }
