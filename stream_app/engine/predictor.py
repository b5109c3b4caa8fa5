"""A prediction's classifier in use: who has which band, or the flag, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream_app.engine.learned import BANDS
from stream_app.engine.users import Floats, Rows, Users
from stream_app.learning.declaration import Bands, Task
from stream_app.learning.reasons import Contributions
from stream_app.learning.sampling import held_out
from stream_app.learning.scorers import Logistic
from stream_app.learning.snapshot import Model
from stream_app.learning.thresholds import NO_BAND, banded, selects
from stream_app.learning.transform import columns_of
from stream_app.tagging import Wanted
from stream_app.tagging.codes import ABSENT, TRUE, value_code
from stream_app.tagging.decision import CERTAIN, Reasons

Codes = NDArray[np.uint16]


class Predictor:
    """Decides a prediction. Raises ValueError for a scorer that cannot score."""

    def __init__(
        self, task: Task, model: Model, scorer: Logistic, families: Mapping[str, str]
    ) -> None:
        self.version: Final = model.version
        self.state: Final = model.state
        self.columns: Final = columns_of(scorer.names)
        self.scorer: Final = scorer
        self._task = task
        self._contributions = Contributions(scorer, families)
        self._threshold = model.thresholds[0] if model.thresholds else None
        bands = isinstance(task.form, Bands)
        self._codes = np.array([value_code(b) for b in BANDS] if bands else [ABSENT, TRUE], "<u2")
        #: By code. Without the tag one is between low and mid, or as without a flag.
        self._ranks = {ABSENT: 0.5 if bands else 0.0}
        self._ranks |= {code: float(rank) for rank, code in enumerate(self._codes.tolist())}

    def scores(self, users: Users) -> Floats:
        """The probabilities (m,) of all users, whoever they are."""
        return users.probabilities(self._task.name)

    def wanted(self, users: Users, before: Codes) -> Wanted:
        """The tag that users should have, after the codes `before` (m,)."""
        task, scores = self._task, self.scores(users)
        among = users.among(task.among)
        tagged = among & ~held_out(users.hashes, task.name, task.holdout)
        codes = np.where(tagged, self._codes[self._ranked(scores, before)], ABSENT)

        def why(rows: Rows, old: Codes, new: Codes) -> list[Reasons]:
            inside = tagged[rows]
            vectors = users.vectors(self.columns, rows[inside])
            found = iter(self._reasons(vectors, old[inside], new[inside]))
            return [
                next(found) if tagged[row] else [] if among[row] else users.outside(task.among, row)
                for row in rows.tolist()
            ]

        confidence = np.where(tagged, scores, CERTAIN)
        return Wanted(codes.astype(np.uint16), confidence, str(self.version), why)

    def _ranked(self, scores: Floats, before: Codes) -> NDArray[np.int64]:
        """Indices (m,) of the codes that scores lead to."""
        form = self._task.form
        if not isinstance(form, Bands):
            return selects(scores, self._threshold).astype(np.int64)
        previous = np.full(len(scores), NO_BAND, dtype=np.int64)
        for band, code in enumerate(self._codes):
            previous[before == code] = band
        return banded(previous, scores, form.edges, form.margin)

    def _reasons(self, vectors: Floats, old: Codes, new: Codes) -> Sequence[Reasons]:
        """What speaks most for each change (k); of a renewed tag, for having it."""
        codes = zip(old.tolist(), new.tolist(), strict=True)
        rises = np.array([self._rises(*pair) for pair in codes], dtype=np.bool_)
        return self._contributions.of(vectors, rises)

    def _rises(self, old: int, new: int) -> bool:
        absent = self._ranks[ABSENT]
        before = absent if new == old else self._ranks.get(old, absent)
        return self._ranks[new] > before
