"""What is learned of segments and of the population: a fold of the samples and day ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.clock import DAY
from stream_app.learning.declaration import Segmentation
from stream_app.learning.population import WINDOW_DAYS, Population
from stream_app.learning.scorers import Quantiles, Scorer
from stream_app.learning.segments import Segments, Settings, fit_segments
from stream_app.learning.snapshot import Kind, Model, Trained
from stream_app.learning.tasks import POPULATION, SEGMENTS, UNUSUAL_BEHAVIOUR
from stream_app.learning.training import Example, columns_id

__all__ = ["LEAST", "POPULATION", "REFIT_DAYS", "SEGMENTS", "UNUSUAL_BEHAVIOUR", "Clusters"]

Floats = NDArray[np.float64]

#: Sampled users without whom no segments are fitted.
LEAST: Final = 300
#: Days from one fit to the next.
REFIT_DAYS: Final = 7


class Clusters:
    """Fits segments to a week's samples, every week; tells quantiles every day.

    `day` must be called with rising day ends, once all partitions have ended them.
    """

    def __init__(self, segmentation: Segmentation, columns: Sequence[str]) -> None:
        self._segmentation = segmentation
        self._columns = list(columns)
        self._population = Population(columns)
        self._settings = Settings(k=segmentation.k)
        self._segments: Segments | None = None
        self._fitted = 0
        self._versions = dict.fromkeys((SEGMENTS, POPULATION), 0)

    def example(self, record: Example, values: Floats) -> None:
        """Take a sample whose vector (c,) is `values`, if it is one for segments."""
        if record.segment:
            self._population.add(record.at // DAY, record.user_id, values)

    def day(self, at: int) -> list[Model]:
        """Return the models that the day end `at` (ms) brings."""
        day = at // DAY
        vectors = self._population.vectors(day)
        models = [self._quantiles(at)] if len(vectors) else []
        if len(vectors) >= LEAST and day - self._fitted >= REFIT_DAYS:
            models += self._fit(at, vectors)
        self._population.forget(day - WINDOW_DAYS + 1)
        return models

    def _fit(self, at: int, vectors: Floats) -> list[Model]:
        features = self._segmentation.features
        places = [self._columns.index(name) for name in features]
        try:
            found = fit_segments(vectors[:, places], features, self._settings, self._segments)
        except ValueError:
            # Too few who differ: what there was stays, and another day is tried.
            return []
        self._segments, self._fitted = found, at // DAY
        metrics = {"k": float(found.check.k), "silhouette": found.check.silhouettes[found.check.k]}
        stability = found.check.stabilities.get(found.check.k)
        return [
            self._model(
                "segments",
                SEGMENTS,
                at,
                len(vectors),
                found.centroids,
                {**metrics, "stability": stability},
                features,
            )
        ]

    def _quantiles(self, at: int) -> Model:
        summary = self._population.summary(at // DAY)
        scorer = Quantiles(by_column={n: list(pairs) for n, pairs in summary.quantiles.items()})
        missing: dict[str, float | None] = {
            f"missing_{name}": share for name, share in summary.missing.items()
        }
        return self._model(
            "population", POPULATION, at, summary.users, scorer, missing, self._columns
        )

    def _model(
        self,
        kind: Kind,
        task: str,
        at: int,
        examples: int,
        scorer: Scorer,
        metrics: dict[str, float | None],
        columns: Sequence[str],
    ) -> Model:
        # The day's number, as those of predictions.
        parent, version = self._versions[task], at // DAY
        self._versions[task] = version
        return Model(
            kind=kind,
            task=task,
            version=version,
            parent=parent or None,
            columns=list(columns),
            columns_id=columns_id(columns),
            created_at=at,
            trained=Trained(
                from_=max(0, at - (WINDOW_DAYS - 1) * DAY), to=at, examples=examples, positives=0
            ),
            metrics=metrics,
            scorer=scorer,
            state="live",
            thresholds=[],
        )
