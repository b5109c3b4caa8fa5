"""Several logistic regressions that look at the same users, in one go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from stream_app.learning.logs import Logs
from stream_app.learning.scorers import Logistic
from stream_app.learning.transform import Floats, columns_of

#: Users at a time, so that what is summed stays in the cache.
_SLICE: Final = 500


class Panel:
    """The probabilities of k scorers, each of its own features.

    Each weight is first divided by its scale, so that users need not be scaled; terms are then
    added by the features' names. So a score depends neither on the other scorers nor on the other
    users, to the last bit, which no matrix product would promise.
    """

    def __init__(self, scorers: Sequence[Logistic]) -> None:
        columns = [columns_of(scorer.names) for scorer in scorers]
        #: The features that any of them looks at.
        self.names: Final = tuple(sorted({name for names in columns for name in names}))
        # One more than there are: numpy adds up a single column in another order than several.
        shape = (len(self.names), len(scorers) + 1, 1)
        self._present, self._missing = np.zeros(shape), np.zeros(shape)
        constants = np.zeros((shape[1], 1))
        self._platt = np.array([scorer.platt or (1.0, 0.0) for scorer in scorers] + [(1.0, 0.0)])
        place = {name: i for i, name in enumerate(self.names)}
        for k, (scorer, own) in enumerate(zip(scorers, columns, strict=True)):
            weights = np.array(scorer.weights) / np.array(scorer.scale)
            rows = [place[name] for name in own]
            self._present[rows, k, 0] = weights[: len(own)]
            self._missing[rows, k, 0] = weights[len(own) :]
            constants[k] = scorer.intercept - float(np.sum(weights * np.array(scorer.mean)))
        self._constants = constants

    def scores(self, logs: Logs) -> Floats:
        """The probabilities (k, m) of m users."""
        logits = np.empty((len(self._constants), len(logs)))
        places = logs.places(self.names)
        for first in range(0, len(logs), _SLICE):
            part = slice(first, first + _SLICE)
            logits[:, part] = self._logits(logs.values[places, part], logs.missing[places, part])
        a, b = self._platt[:, :1], self._platt[:, 1:]
        return sigmoid(a * logits + b)[:-1]

    def _logits(self, values: Floats, missing: Floats) -> Floats:
        total: Floats = (self._present * values[:, None]).sum(axis=0)
        some = missing.any(axis=1)
        if some.any():
            total += (self._missing[some] * missing[some][:, None]).sum(axis=0)
        total += self._constants
        return total


def sigmoid(logits: Floats) -> Floats:
    """Return the probabilities of logits."""
    # Beyond 700 the exponential overflows and the answer has long been 0.
    probabilities: Floats = 1.0 / (1.0 + np.exp(-np.clip(logits, -700.0, 700.0)))
    return probabilities
