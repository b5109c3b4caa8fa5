"""What is learned for one declared task: a fold of its examples, outcomes and day ends.

Examples are learned as they close; a version is made when a cohort has closed everywhere. How good
a version is, is told by the scores that were given when users were sampled, never by later ones.
Those of the workers are told; those that this fold itself had at that time, whose every step it
knows, decide between champion and challenger, and scale.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from stream_app.domain.clock import DAY
from stream_app.learning import verdict
from stream_app.learning.calibration import IDENTITY, calibrate
from stream_app.learning.challenge import Challenge, difference
from stream_app.learning.classifier import Champion
from stream_app.learning.cohort import Cohort, Labelled, TaskExample
from stream_app.learning.cohorts import Cohorts
from stream_app.learning.declaration import Task
from stream_app.learning.outcomes import Largest
from stream_app.learning.scorers import Logistic
from stream_app.learning.scoring import score
from stream_app.learning.snapshot import Model, Trained
from stream_app.learning.training import DayEnd, Example, Outcome, Sampled, columns_id

Floats = NDArray[np.float64]

#: A challenger must be better by this much (nats of log loss an example).
MARGIN: Final = 0.001
#: Thresholds and scaling come from the cohorts of so long (ms), beside a horizon.
JUDGED_MS: Final = 28 * DAY
#: Vectors on which the tags of two versions are compared.
NEWEST: Final = 4_000


class _Learner:
    """A model that learns, and where its features are in a vector of all columns."""

    def __init__(self, features: Sequence[str], columns: Sequence[str]) -> None:
        self.features = tuple(features)
        self.model = Champion(features)
        #: The model as of the last version, which scores examples as they are sampled.
        self.scorer: Logistic | None = None
        self._places = [columns.index(name) for name in features]

    def learn(self, examples: Sequence[Labelled]) -> None:
        """Learn closed examples in order."""
        values = np.array([one.example.values for one in examples])[:, self._places]
        self.model.learn_many(values, np.array([float(one.positive) for one in examples]))

    def export(self, vectors: Floats) -> Logistic:
        """The model as it is; what is usual is said by vectors (n, c) of all columns."""
        return self.model.export(vectors[:, self._places])

    def score(self, scorer: Logistic, vectors: Floats) -> Floats:
        """Score vectors (n, c) of all columns."""
        return score(scorer, vectors[:, self._places])

    def sampled(self, vectors: Floats) -> list[float | None]:
        """Score vectors (n, c) as they are sampled; None before the first version."""
        if self.scorer is None:
            return [None] * len(vectors)
        found: list[float | None] = self.score(self.scorer, vectors).tolist()
        return found


class _New(NamedTuple):
    """An example of the task that has not been scored yet."""

    record: Example
    sampled: Sampled
    values: Floats


class Predictor:
    """Learns `task` from vectors of `columns` (c,); deterministic in the order of its records.

    A pause of the feed of more than `max_gap_ms` voids the examples whose horizon holds it.
    """

    def __init__(self, task: Task, columns: Sequence[str], max_gap_ms: int) -> None:
        quantile = 1 - task.outcome.top if isinstance(task.outcome, Largest) else None
        self.task: Final = task
        self.cohorts: Final = Cohorts(task.horizon_ms, max_gap_ms, quantile)
        self._champion = _Learner(task.features, columns)
        self._challenger = _Learner(task.challenger, columns) if task.challenger else None
        self._challenge = Challenge(task.horizon_ms, MARGIN)
        self._closed: deque[Cohort] = deque()
        #: Sampled since the last day end, and so by one version.
        self._new: list[_New] = []
        self._newest: deque[Floats] = deque(maxlen=NEWEST)
        self._trained = Trained(from_=0, to=0, examples=0, positives=0)

    @property
    def newest(self) -> Floats:
        """The newest vectors (n, c), on which versions are compared."""
        return np.array(self._newest)

    def example(self, record: Example, values: Floats) -> None:
        """Take an example whose vector (c,) is `values`, if it is one of this task."""
        sampled = record.tasks.get(self.task.name)
        if sampled is not None:
            self._newest.append(values)
            self._new.append(_New(record, sampled, values))

    def outcome(self, record: Outcome) -> None:
        """Take an outcome of this task."""
        self._join()
        self.cohorts.outcome(record.user_id, record.sampled_at, record.at, record.value)

    def day_end(self, record: DayEnd) -> Model | None:
        """Learn what has closed; return a new version when a cohort has.

        The version has no parent yet, and is never held.
        """
        self._join()
        closing = self.cohorts.day_end(
            record.partition, record.partitions, record.at, record.gap_ms
        )
        if closing.examples:
            self._learn(closing.examples)
        for cohort in closing.cohorts:
            self._judge(cohort)
        if not closing.cohorts or not self._trained.examples:
            return None
        return self._version(self.cohorts.everywhere)

    def _join(self) -> None:
        """Have new examples wait for their outcomes, with the scores of all at once."""
        if not self._new:
            return
        vectors = np.array([new.values for new in self._new])
        own = self._champion.sampled(vectors)
        rival = self._challenger.sampled(vectors) if self._challenger else [None] * len(own)
        for (record, sampled, values), ours, theirs in zip(self._new, own, rival, strict=True):
            self.cohorts.sample(
                TaskExample(
                    user=record.user_id,
                    partition=record.partition,
                    at=record.at,
                    values=values,
                    score=sampled.score,
                    version=sampled.version,
                    held_out=sampled.held_out,
                    tag=sampled.tag,
                    champion=ours,
                    challenger=theirs,
                )
            )
        self._new = []

    def _learn(self, examples: Sequence[Labelled]) -> None:
        for learner in filter(None, (self._champion, self._challenger)):
            learner.learn(examples)
        ats, before = [one.example.at for one in examples], self._trained
        self._trained = Trained(
            from_=min(ats) if not before.examples else min(before.from_, *ats),
            to=max(before.to, *ats),
            examples=before.examples + len(examples),
            positives=before.positives + sum(one.positive for one in examples),
        )

    def _judge(self, cohort: Cohort) -> None:
        self._closed.append(cohort)
        while self._closed[0].at < cohort.at - self.task.horizon_ms - JUDGED_MS:
            self._closed.popleft()
        if self._challenger is None:
            return
        found = difference(cohort.champion, cohort.challenger, cohort.positive, cohort.users)
        self._challenge = self._challenge.after(cohort.at, found)
        if self._challenge.promotes(cohort.at):
            self._champion, self._challenger = self._challenger, self._champion

    def _version(self, at: int) -> Model:
        vectors = self.newest
        for learner in filter(None, (self._champion, self._challenger)):
            learner.scorer = learner.model.export()
        scorer = self._champion.export(vectors)
        platt = calibrate([verdict.scored(one) for one in self._closed], self.task.horizon_ms)
        if platt != IDENTITY:
            scorer = replace(scorer, platt=(platt.a, platt.b))
        form, closed = self.task.form, list(self._closed)
        threshold = verdict.threshold_of(form, closed, self._champion.score(scorer, vectors))
        state = verdict.state_of(form, self._trained, threshold)
        newest = closed[-1] if closed else None
        return Model(
            kind="classifier",
            task=self.task.name,
            # The day's number, so that whoever folds what retention has left counts as before.
            version=at // DAY,
            parent=None,
            columns=list(self._champion.features),
            columns_id=columns_id(self._champion.features),
            created_at=at,
            trained=self._trained,
            metrics=dict(verdict.figures(form, self.cohorts.counts, newest, threshold)),
            scorer=scorer,
            state=state,
            thresholds=verdict.cuts_of(form, state, threshold),
        )
