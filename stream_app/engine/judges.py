"""What one model says of the users of a round: who can have its tag, who should, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.changes import Because
from stream_app.domain.expression import Expression, Frame
from stream_app.engine.learned import BANDS
from stream_app.learning.assignment import UNUSUAL, assign
from stream_app.learning.assignment import reasons as segment_reasons
from stream_app.learning.declaration import Bands, Segmentation, Task
from stream_app.learning.reasons import Reason
from stream_app.learning.reasons import reasons as score_reasons
from stream_app.learning.sampling import Hashes, held_out
from stream_app.learning.scorers import Centroids, Logistic
from stream_app.learning.scoring import compiled
from stream_app.learning.snapshot import Model
from stream_app.learning.thresholds import NO_BAND, banded, selects
from stream_app.tagging import Wanted
from stream_app.tagging.codes import ABSENT, TRUE, segment_code, value_code
from stream_app.tagging.decision import CERTAIN, Reasons

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Codes = NDArray[np.uint16]
Rows = NDArray[np.intp]


class Users(NamedTuple):
    """The m users of a round: their features, and their hashes (m,)."""

    frame: Frame
    hashes: Hashes

    def vectors(self, names: Sequence[str]) -> Floats:
        """The values (m, c) of features, NaN where missing."""
        columns = [np.asarray(self.frame.columns[name], dtype=np.float64) for name in names]
        return np.column_stack(columns)

    def among(self, condition: Expression | None) -> Bools:
        """For whom (m,) a condition is true; for all without one."""
        if condition is None:
            return np.ones(len(self.hashes), dtype=np.bool_)
        return condition.true(self.frame)


class Predictor:
    """A classifier in use. Raises ValueError for one that cannot score."""

    def __init__(self, task: Task, model: Model, scorer: Logistic) -> None:
        self.version: Final = model.version
        self.state: Final = model.state
        self.columns: Final = tuple(scorer.names[: len(scorer.names) // 2])
        self._task = task
        self._scorer = scorer
        self._score = compiled(scorer)
        self._threshold = model.thresholds[0] if model.thresholds else None
        bands = isinstance(task.form, Bands)
        self._codes = np.array([value_code(b) for b in BANDS] if bands else [ABSENT, TRUE], "<u2")
        #: By code. Without the tag one is between low and mid, or as without a flag.
        self._ranks = {ABSENT: 0.5 if bands else 0.0}
        self._ranks |= {code: float(rank) for rank, code in enumerate(self._codes.tolist())}

    def scores(self, users: Users) -> Floats:
        """The probabilities (m,) of all users, whoever they are."""
        return self._score(users.vectors(self.columns))

    def wanted(self, users: Users, before: Codes) -> Wanted:
        """The tag that users should have, after the codes `before` (m,)."""
        task, vectors = self._task, users.vectors(self.columns)
        scores = self._score(vectors)
        among = users.among(task.among)
        tagged = among & ~held_out(users.hashes, task.name, task.holdout)
        codes = np.where(tagged, self._codes[self._ranked(scores, before)], ABSENT)

        def reasons(rows: Rows, old: Codes, new: Codes) -> list[Reasons]:
            inside = tagged[rows]
            told = iter(self._reasons(vectors[rows[inside]], old[inside], new[inside]))
            return [
                next(told)
                if tagged[row]
                else []
                if among[row]
                else _outside(task.among, users, row)
                for row in rows.tolist()
            ]

        confidence = np.where(tagged, scores, CERTAIN)
        return Wanted(codes.astype(np.uint16), confidence, str(self.version), reasons)

    def _ranked(self, scores: Floats, before: Codes) -> NDArray[np.int64]:
        """Indices (m,) of the codes that scores lead to."""
        form = self._task.form
        if not isinstance(form, Bands):
            return selects(scores, self._threshold).astype(np.int64)
        previous = np.full(len(scores), NO_BAND, dtype=np.int64)
        for band, code in enumerate(self._codes):
            previous[before == code] = band
        return banded(previous, scores, form.edges, form.margin)

    def _reasons(self, vectors: Floats, old: Codes, new: Codes) -> list[Reasons]:
        """What speaks most for each change (k); of a renewed tag, for having it."""
        found: list[Reasons] = [[]] * len(vectors)
        codes = zip(old.tolist(), new.tolist(), strict=True)
        rises = np.array([self._rises(*pair) for pair in codes], dtype=np.bool_)
        for direction, rows in ((1.0, rises.nonzero()[0]), (-1.0, (~rises).nonzero()[0])):
            told = score_reasons(self._scorer, vectors, rows.tolist(), {}, direction)
            for row, reasons in zip(rows.tolist(), told, strict=True):
                found[row] = [_because(reason) for reason in reasons]
        return found

    def _rises(self, old: int, new: int) -> bool:
        absent = self._ranks[ABSENT]
        before = absent if new == old else self._ranks.get(old, absent)
        return self._ranks[new] > before


class Segmenter:
    """Segments in use. Raises ValueError for ids that rows cannot hold."""

    def __init__(self, segmentation: Segmentation, model: Model, scorer: Centroids) -> None:
        self.version: Final = model.version
        self.state: Final = model.state
        self.columns: Final = tuple(scorer.names)
        self._among = segmentation.among
        self._centroids = scorer
        self._codes = {name: segment_code(name) for name in (*scorer.ids, UNUSUAL)}
        self._ids = {code: name for name, code in self._codes.items()}

    def wanted(self, users: Users, before: Codes) -> Wanted:
        """The segment that users should have, after the codes `before` (m,)."""
        among, vectors = users.among(self._among), users.vectors(self.columns)
        previous = [self._ids.get(code) for code in before.tolist()]
        segments = assign(self._centroids, vectors, previous)
        codes = np.array([self._codes[segment] for segment in segments], dtype=np.uint16)

        def reasons(rows: Rows, old: Codes, new: Codes) -> list[Reasons]:
            return [
                self._differences(vectors[row]) if among[row] else _outside(self._among, users, row)
                for row in rows.tolist()
            ]

        codes[~among] = ABSENT
        return Wanted(codes, np.full(len(codes), CERTAIN), str(self.version), reasons)

    def _differences(self, vector: Floats) -> Reasons:
        return [
            Because(c.feature, c.value, c.op, c.threshold, reference=_number(c.threshold))
            for c in segment_reasons(self._centroids, vector)
        ]


def _outside(among: Expression | None, users: Users, row: int) -> Reasons:
    return [] if among is None else among.explain(users.frame, row, False)


def _because(reason: Reason) -> Because:
    """A true comparison with what is typical, and what it adds."""
    value, typical = reason.value, reason.reference
    if value is None or typical is None:
        op, threshold = ("missing" if value is None else "has"), None
    else:
        op, threshold = (">" if value > typical else "<" if value < typical else "=="), typical
    return Because(reason.feature, value, op, threshold, reason.contribution, typical)


def _number(value: object) -> float | None:
    return value if isinstance(value, float) else None
