"""What the models in use say of one user: for people who ask why a tag is there, or is not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.changes import TagStatus, TagValue
from stream_app.domain.clock import to_rfc3339
from stream_app.domain.expression import Expression, Frame
from stream_app.engine.explanation import (
    Distance,
    Explanation,
    Held,
    InUse,
    Logit,
    Prediction,
    Segment,
    Trait,
    Unusual,
    Verdict,
)
from stream_app.engine.learned import BANDS
from stream_app.engine.models import Models
from stream_app.engine.profiles import Profiles
from stream_app.engine.reading import plain_rows
from stream_app.learning.assignment import UNUSUAL
from stream_app.learning.declaration import Bands, Learning, Task
from stream_app.learning.lloyd import squared_distances
from stream_app.learning.oddness import Oddness
from stream_app.learning.reasons import Contributions
from stream_app.learning.sampling import hashes, held_out
from stream_app.learning.scale import scaled
from stream_app.learning.scorers import Centroids, HalfSpaceTrees, Logistic
from stream_app.learning.scoring import compiled, sigmoid
from stream_app.learning.snapshot import Model
from stream_app.learning.tasks import SEGMENTS, UNUSUAL_BEHAVIOUR
from stream_app.learning.transform import columns_of, expand
from stream_app.tagging.codes import ABSENT, TRUE, segment_code, value_code

Floats = NDArray[np.float64]
Kind = TypeVar("Kind", Logistic, Centroids, HalfSpaceTrees)

_FLAG: Final[Mapping[int, TagValue]] = {ABSENT: None, TRUE: True}
_BANDS: Final[Mapping[int, TagValue]] = {ABSENT: None} | {value_code(name): name for name in BANDS}


class ExplanationError(ValueError):
    """There is nothing to explain; the message says why."""


def explain(
    profiles: Profiles, user: str, at: int, learning: Learning, snapshots: Mapping[str, Model]
) -> Explanation:
    """Explain a user of `profiles` at `at` (ms) by the current models, by task.

    ExplanationError for a moment before the user's last event: what was known then is gone.
    """
    one = _User(profiles, user, at, learning, snapshots)
    if at < one.last_event:
        raise ExplanationError(
            f"{user} has an event at {to_rfc3339(one.last_event)}, after {to_rfc3339(at)}: a "
            "profile tells nothing of before. `stream-app replay --as-of` can, from the events"
        )
    return Explanation(
        user_id=user,
        partition=profiles.number,
        at=to_rfc3339(at),
        last_event=to_rfc3339(one.last_event),
        features=one.plain,
        predictions=[one.prediction(task) for task in learning.tasks],
        segments=one.segment() if learning.segmentation else None,
        unusual=one.unusual() if learning.unusual else None,
    )


class _User:
    """One row and what models say of it."""

    def __init__(
        self,
        profiles: Profiles,
        user: str,
        at: int,
        learning: Learning,
        snapshots: Mapping[str, Model],
    ) -> None:
        program, slots = profiles.program, np.array([profiles.slots[user]], dtype=np.intp)
        rows = profiles.gather(slots)
        values = program.features.values(rows, at, profiles.dictionary)
        self.last_event = int(rows["last_seen"][0])
        self.plain = next(plain_rows(values, 1))
        self._learning, self._snapshots = learning, snapshots
        self._frame = Frame(values)
        self._hashes = hashes([user])
        self._tags = program.tags.state(rows, 0, profiles.dictionary.values)
        self._models = Models.of(learning, snapshots)
        self._judged = self._models.over(values, self._hashes)

    def prediction(self, task: Task) -> Prediction:
        held = bool(held_out(self._hashes, task.name, task.holdout)[0])
        scores = self._judged.scores(task.name)
        model, scorer = self._scorer(task.name, Logistic)
        bands = task.form if isinstance(task.form, Bands) else None
        edges = dict(zip(BANDS[1:], bands.edges, strict=True)) if bands else {}
        if model and not bands and model.thresholds:
            edges = {"threshold": model.thresholds[0]}
        return Prediction(
            verdict=self._verdict(task.name, task.among, _BANDS if bands else _FLAG),
            held_out=held,
            probability=float(scores.values[0]) if scores else None,
            edges=edges,
            margin=bands.margin if bands else 0.0,
            logit=self._logit(scorer) if scorer and scores else None,
        )

    def segment(self) -> Segment:
        segmentation = self._learning.segmentation
        assert segmentation is not None
        _, scorer = self._scorer(SEGMENTS, Centroids)
        ids = (*(scorer.ids if scorer else ()), UNUSUAL)
        codes: dict[int, TagValue] = {ABSENT: None} | {segment_code(name): name for name in ids}
        return Segment(
            verdict=self._verdict(SEGMENTS, segmentation.among, codes),
            distances=list(self._distances(scorer)) if scorer else [],
            bound=scorer.bound if scorer else 0.0,
            margin=scorer.margin if scorer else 0.0,
            traits=list(self._traits(scorer)) if scorer else [],
        )

    def unusual(self) -> Unusual:
        segmentation = self._learning.segmentation
        model, scorer = self._scorer(UNUSUAL_BEHAVIOUR, HalfSpaceTrees)
        among = segmentation.among if segmentation else None
        score, because = None, []
        if scorer is not None:
            vectors = self._vector(columns_of(scorer.names))
            score = float(compiled(scorer)(vectors)[0])
            because = Oddness(scorer, self._learning.families).of(vectors)[0]
        return Unusual(
            verdict=self._verdict(UNUSUAL_BEHAVIOUR, among, _FLAG),
            score=score,
            threshold=model.thresholds[0] if model and model.thresholds else None,
            because=because,
        )

    def _scorer(self, name: str, kind: type[Kind]) -> tuple[Model | None, Kind | None]:
        """The model of a task, and its scorer where it can be used."""
        model = self._snapshots.get(name)
        usable = model is not None and name not in self._models.paused
        scorer = model.scorer if model and usable and isinstance(model.scorer, kind) else None
        return model, scorer

    def _verdict(
        self, name: str, among: Expression | None, values: Mapping[int, TagValue]
    ) -> Verdict:
        model, now = self._snapshots.get(name), self._tags.get(name)
        eligible = among is None or bool(among.true(self._frame)[0])
        told = among.explain(self._frame, 0, False) if among and not eligible else []
        had = now["value"] if now else None
        before = next((code for code, value in values.items() if value == had), ABSENT)
        wanted = self._judged.wanted(name, np.array([before], dtype=np.uint16))
        return Verdict(
            tag=name,
            model=_in_use(model, self._models.paused.get(name)) if model else None,
            eligible=eligible,
            because_not=told,
            now=_held(now) if now else None,
            would_be=values.get(int(wanted.codes[0])) if wanted else None,
        )

    def _logit(self, scorer: Logistic) -> Logit:
        vectors = self._vector(columns_of(scorer.names))
        told = Contributions(scorer, self._learning.families).every(vectors)
        typical = scorer.intercept + float(np.sum(scorer.reference))
        a, b = scorer.platt or (1.0, 0.0)
        return Logit(
            typical=typical,
            typical_probability=float(sigmoid(np.array([a * typical + b]))[0]),
            families=sorted(told, key=lambda reason: -abs(reason.contribution or 0.0)),
            value=typical + sum(reason.contribution or 0.0 for reason in told),
            platt=(a, b),
        )

    def _distances(self, scorer: Centroids) -> Iterator[Distance]:
        z = self._spreads(scorer)
        apart = np.sqrt(squared_distances(z[None], np.array(scorer.centre)))[0]
        for j in np.argsort(apart, kind="stable").tolist():
            # An earlier version of the trainer told no labels.
            label = scorer.labels[j] if scorer.labels else ""
            yield Distance(scorer.ids[j], label, float(apart[j]))

    def _traits(self, scorer: Centroids) -> Iterator[Trait]:
        z, usual = self._spreads(scorer), expand(np.array(scorer.median))
        vector = self._vector(scorer.names)[0]
        for j in np.argsort(-np.abs(z), kind="stable").tolist():
            value = None if np.isnan(vector[j]) else float(vector[j])
            yield Trait(scorer.names[j], value, float(f"{usual[j]:.9g}"), float(z[j]))

    def _spreads(self, scorer: Centroids) -> Floats:
        vectors = self._vector(scorer.names)
        z: Floats = scaled(vectors, np.array(scorer.median), np.array(scorer.spread))[0]
        return z

    def _vector(self, names: Sequence[str]) -> Floats:
        columns = [np.asarray(self._frame.columns[name], dtype=np.float64) for name in names]
        return np.column_stack(columns)


def _in_use(model: Model, paused: str | None) -> InUse:
    return InUse(model.version, model.state, to_rfc3339(model.trained.to), paused)


def _held(status: TagStatus) -> Held:
    until = status["valid_until"]
    return Held(
        status["value"],
        status["confidence"],
        to_rfc3339(status["since"]),
        None if until is None else to_rfc3339(until),
    )
