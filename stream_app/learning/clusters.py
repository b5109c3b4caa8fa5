"""What is learned of the population: a fold of the samples for segments, and of day ends.

Every day its quantiles; every week, or at once when a feature has drifted, segments and what is
unusual.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream_app.domain.clock import DAY
from stream_app.learning.alarms import Drift, means
from stream_app.learning.anomaly import judge
from stream_app.learning.declaration import Learning, Segmentation, Unusual
from stream_app.learning.history import History
from stream_app.learning.movement import Movement
from stream_app.learning.population import LEAST, WINDOW_DAYS, Population
from stream_app.learning.scorers import Centroids, HalfSpaceTrees, Quantiles
from stream_app.learning.segments import Segments, Settings, figures, fit_segments, restored
from stream_app.learning.snapshot import Kind, Model, Trained
from stream_app.learning.tasks import POPULATION, SEGMENTS, UNUSUAL_BEHAVIOUR
from stream_app.learning.training import Example, columns_id

__all__ = ["LEAST", "POPULATION", "REFIT_DAYS", "SEGMENTS", "UNUSUAL_BEHAVIOUR", "Clusters"]

Floats = NDArray[np.float64]
Metrics = dict[str, float | None]

#: Days from one fit to the next.
REFIT_DAYS: Final = 7
_KINDS: Final[Mapping[str, Kind]] = {
    SEGMENTS: "segments",
    POPULATION: "population",
    UNUSUAL_BEHAVIOUR: "anomaly",
}


class Clusters:
    """Fits segments and half-space trees to a week's users; tells quantiles every day.

    `day` must be called with rising day ends, once all partitions have ended them. All that a fit
    goes on from was published by the one before, but for some of its users.
    """

    def __init__(
        self,
        segmentation: Segmentation,
        columns: Sequence[str],
        *,
        unusual: Unusual | None = None,
        words: Mapping[str, tuple[str, str]] | None = None,
        drift: Drift | None = None,
    ) -> None:
        self.drift: Final = drift or Drift()
        self._segmentation = segmentation
        self._unusual = unusual
        self._columns = list(columns)
        self._population = Population(columns)
        self._settings = Settings(k=segmentation.k, words=words or {})
        self._history = History()
        self._segments: Segments | None = None
        self._movement: Movement | None = None
        self._alarmed = False
        self._grown = 0
        self._version: int | None = None

    @classmethod
    def of(cls, learning: Learning, drift: Drift | None = None) -> Clusters | None:
        """What a catalogue declares; None without segments."""
        if learning.segmentation is None:
            return None
        return cls(
            learning.segmentation,
            learning.columns,
            unusual=learning.unusual,
            words=learning.words,
            drift=drift,
        )

    def resume(self, models: Sequence[Model]) -> None:
        """Go on from the segments that are published, instead of fitting them again.

        Up to the newest of them nothing is fitted: on the day of each it is taken over, so that
        ids go on where records of then are deleted. Must be called before the first record.
        """
        self._history = History(models)

    def example(self, record: Example, values: Floats) -> None:
        """Take a sample whose vector (c,) is `values`, if it is one for segments."""
        if record.segment:
            self._population.add(record.at // DAY, record.user_id, values)

    def day(self, at: int) -> list[Model]:
        """Return the models that the day end `at` (ms) brings."""
        day = at // DAY
        vectors = self._population.vectors(day)
        self._observe(day)
        models = [self._quantiles(at)] if len(vectors) else []
        segments = self._examine(at, vectors)
        models += segments
        if len(vectors) >= LEAST and (segments or day - self._grown >= REFIT_DAYS):
            models += self._trees(at, vectors)
        self._population.forget(day - WINDOW_DAYS + 1)
        return models

    def _observe(self, day: int) -> None:
        """Watch the day's users: have features drifted, or segments moved?"""
        today = self._population.day(day)
        alarms = self.drift.add(day, means(today, self._columns))
        watched = set(self._segmentation.features)
        self._alarmed |= any(alarm.series in watched for alarm in alarms)
        if self._movement is not None and len(today):
            self._movement.add(self._of(today, self._movement.centroids.names))

    def _examine(self, at: int, vectors: Floats) -> list[Model]:
        """Take over what is published of the day, or fit if it is time."""
        day = at // DAY
        for model, scorer in self._history.before(day):
            self._take_over(model, scorer, vectors[:0])
        published = self._history.at(day)
        if published is not None:
            self._take_over(*published, vectors)
            return [published[0]]
        due = self._alarmed or day - (self._version or 0) >= REFIT_DAYS
        if self._history or not due or len(vectors) < LEAST:
            return []
        return self._fit(at, vectors)

    def _take_over(self, model: Model, scorer: Centroids, vectors: Floats) -> None:
        values = self._of(vectors, model.columns)
        self._adopt(restored(scorer, values, model.columns, self._settings), model.version)

    def _adopt(self, segments: Segments, day: int) -> None:
        self._segments, self._version, self._alarmed = segments, day, False
        names = segments.centroids.names
        known = all(name in self._columns for name in names)
        self._movement = Movement(segments.centroids) if known else None

    def _fit(self, at: int, vectors: Floats) -> list[Model]:
        features, share_of = self._segmentation.features, self._segmentation.share_of
        worth = self._of(vectors, [share_of])[:, 0] if share_of else None
        values, before = self._of(vectors, features), self._segments
        try:
            found = fit_segments(values, features, self._settings, before, at, worth)
        except ValueError:
            # Too few who differ: what there was stays, and another day is tried.
            return []
        parent = self._version
        self._adopt(found, at // DAY)
        told = figures(found, before, len(vectors))
        return [self._model(SEGMENTS, at, len(vectors), found.centroids, told, features, parent)]

    def _trees(self, at: int, vectors: Floats) -> list[Model]:
        if self._unusual is None:
            return []
        features, top = self._unusual.features, self._unusual.top
        found = judge(self._of(vectors, features), features, top, self._settings.seed)
        if found is None:
            return []
        if found.state == "live":
            # Until then, every day is a chance.
            self._grown = at // DAY
        model = self._model(
            UNUSUAL_BEHAVIOUR, at, len(vectors), found.trees, found.figures, features
        )
        return [msgspec.structs.replace(model, state=found.state, thresholds=found.thresholds)]

    def _quantiles(self, at: int) -> Model:
        summary = self._population.summary(at // DAY)
        scorer = Quantiles(by_column={n: list(pairs) for n, pairs in summary.quantiles.items()})
        metrics: Metrics = {f"missing_{name}": share for name, share in summary.missing.items()}
        metrics |= self._movement.metrics() if self._movement else {}
        alarms = self.drift.recent(at // DAY)
        metrics["drift_alarms"] = float(len(alarms))
        metrics |= {f"drift_{alarm.series}": alarm.shift for alarm in alarms}
        return self._model(POPULATION, at, summary.users, scorer, metrics, self._columns)

    def _of(self, vectors: Floats, names: Sequence[str]) -> Floats:
        """The named columns of vectors (n, c); one that is not there is missing in all."""
        none = np.full(len(vectors), np.nan)
        known = set(self._columns)
        found = [vectors[:, self._columns.index(n)] if n in known else none for n in names]
        return np.array(found).T.reshape(len(vectors), len(names))

    def _model(
        self,
        task: str,
        at: int,
        examples: int,
        scorer: Centroids | HalfSpaceTrees | Quantiles,
        metrics: Metrics,
        columns: Sequence[str],
        parent: int | None = None,
    ) -> Model:
        return Model(
            kind=_KINDS[task],
            task=task,
            # The day's number, as those of predictions. Only segments go on from the ones before.
            version=at // DAY,
            parent=parent,
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
