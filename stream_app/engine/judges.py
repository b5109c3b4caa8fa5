"""The models in use that decide the tags of segments and of unusual users, and any one's compiling.

Predictions are in `predictor`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.expression import Expression
from stream_app.engine.predictor import Predictor
from stream_app.engine.users import Rows, Users
from stream_app.learning.assignment import UNUSUAL, Assigner, Differences
from stream_app.learning.declaration import Learning
from stream_app.learning.oddness import Oddness
from stream_app.learning.scorers import Centroids, HalfSpaceTrees, Logistic
from stream_app.learning.snapshot import Model
from stream_app.learning.tasks import SEGMENTS, UNUSUAL_BEHAVIOUR
from stream_app.learning.thresholds import selects
from stream_app.learning.trees import Trees
from stream_app.tagging import Wanted
from stream_app.tagging.codes import ABSENT, TRUE, segment_code, segment_id
from stream_app.tagging.decision import CERTAIN, Reasons

Codes = NDArray[np.uint16]
#: How many codes there are.
_CODES: Final = 2**16


class Segmenter:
    """Decides segments. Raises ValueError for ids that rows cannot hold."""

    def __init__(
        self,
        among: Expression | None,
        model: Model,
        scorer: Centroids,
        families: Mapping[str, str],
    ) -> None:
        self.version: Final = model.version
        self.state: Final = model.state
        self._among = among
        self._assigner, self._differences = Assigner(scorer), Differences(scorer, families)
        self.columns: Final = self._assigner.names
        self._codes = np.array([segment_code(name) for name in self._assigner.ids], dtype="<u2")
        self._places = np.full(_CODES, -1, dtype=np.intp)
        self._places[self._codes] = np.arange(len(self._codes))
        # Earlier versions published no names in words.
        self._labels = dict(zip(scorer.ids, scorer.labels, strict=False))

    def wanted(self, users: Users, before: Codes) -> Wanted:
        """The segment that users should have, after the codes `before` (m,)."""
        among = users.among(self._among)
        places = self._assigner.places(users.logs, self._places[before])
        codes = np.where(among, self._codes[places], np.uint16(ABSENT))

        def why(rows: Rows, old: Codes, new: Codes) -> list[Reasons]:
            inside = among[rows]
            was, now = (list(map(segment_id, c[inside].tolist())) for c in (old, new))
            vectors = users.vectors(self.columns, rows[inside])
            found = iter(self._differences.of(vectors, was, [name or UNUSUAL for name in now]))
            return [
                next(found) if among[row] else users.outside(self._among, row)
                for row in rows.tolist()
            ]

        certain = np.full(len(codes), CERTAIN)
        return Wanted(codes, certain, str(self.version), why, self._labels)


class Watcher:
    """Decides who is unusual. Raises ValueError for trees that cannot score."""

    def __init__(
        self,
        among: Expression | None,
        model: Model,
        scorer: HalfSpaceTrees,
        families: Mapping[str, str],
    ) -> None:
        self.version: Final = model.version
        self.state: Final = model.state
        self._among = among
        self._oddness = Oddness(scorer, families)
        self._trees = Trees(scorer)
        self.columns: Final = self._trees.names
        self._threshold = model.thresholds[0] if model.thresholds else None

    def wanted(self, users: Users, before: Codes) -> Wanted:
        """Who should have the flag; an anomaly score is no probability, so that it is certain."""
        among = users.among(self._among)
        flags = among & selects(self._trees.scores(users.logs), self._threshold)
        codes = np.where(flags, np.uint16(TRUE), np.uint16(ABSENT))

        def why(rows: Rows, old: Codes, new: Codes) -> list[Reasons]:
            found = iter(self._oddness.of(users.vectors(self.columns, rows[among[rows]])))
            return [
                next(found) if among[row] else users.outside(self._among, row)
                for row in rows.tolist()
            ]

        return Wanted(codes, np.full(len(codes), CERTAIN), str(self.version), why)


Judge = Predictor | Segmenter | Watcher


def names(learning: Learning) -> list[str]:
    """The models that decide tags under this catalogue."""
    found = [task.name for task in learning.tasks]
    found += [SEGMENTS] if learning.segmentation else []
    return found + ([UNUSUAL_BEHAVIOUR] if learning.unusual else [])


def compiled(name: str, model: Model, learning: Learning) -> Judge:
    """Compile a model for one of the `names`; ValueError says why it cannot decide it."""
    families, scorer = learning.families, model.scorer
    among = learning.segmentation.among if learning.segmentation else None
    if name == SEGMENTS and isinstance(scorer, Centroids):
        return Segmenter(among, model, scorer, families)
    if name == UNUSUAL_BEHAVIOUR and isinstance(scorer, HalfSpaceTrees):
        return Watcher(among, model, scorer, families)
    task = next((task for task in learning.tasks if task.name == name), None)
    if task is not None and isinstance(scorer, Logistic):
        return Predictor(task, model, scorer, families)
    raise ValueError(f"a model of kind {model.kind} cannot decide it")
