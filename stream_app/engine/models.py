"""The models in use: which can be used under this catalogue, and what they say of a round."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream_app.domain.expression import Frame
from stream_app.engine.judges import Judge, compiled, names
from stream_app.engine.predictor import Predictor
from stream_app.engine.users import Looks, Users
from stream_app.learning.declaration import Learning
from stream_app.learning.population import LEAST
from stream_app.learning.sampling import Hashes
from stream_app.learning.scorers import Quantiles
from stream_app.learning.snapshot import Model
from stream_app.learning.tasks import POPULATION
from stream_app.tagging import Judgement, Wanted

#: States of models that tag. Of `unreachable` ones no threshold is known, so nobody has their flag.
TAGGING: Final = frozenset({"live", "unreachable"})
#: Those that score samples: a threshold of known precision needs scores before it can be found.
USABLE: Final = TAGGING | {"warming"}


class Scores(NamedTuple):
    """Probabilities (m,), and the version of the model that gave them."""

    values: NDArray[np.float64]
    version: int


class Models:
    """Compiled models by task; immutable.

    `paused` says of tasks with a model why it is not used; their tags stay until they expire.
    `quantiles` are those of the population that rules use, by name (`q90.spend_30d`): none without
    a model of the population, and none of a feature of which no value was seen.
    """

    def __init__(
        self,
        snapshots: Mapping[str, Model],
        judges: Mapping[str, Judge],
        paused: Mapping[str, str],
        quantiles: Mapping[str, float],
    ) -> None:
        self._snapshots = MappingProxyType(dict(snapshots))
        self._judges = MappingProxyType(dict(judges))
        scorers = {n: judge.scorer for n, judge in judges.items() if isinstance(judge, Predictor)}
        others = [
            column for n, judge in judges.items() if n not in scorers for column in judge.columns
        ]
        self._looks = Looks(scorers, others)
        self.paused: Final[Mapping[str, str]] = MappingProxyType(dict(paused))
        self.quantiles: Final[Mapping[str, float]] = MappingProxyType(dict(quantiles))
        #: Changes with all that rows are decided by: versions, pauses and quantiles.
        self.revision: Final = _revision(self.versions, self.paused, self.quantiles)

    @classmethod
    def of(cls, learning: Learning, snapshots: Mapping[str, Model]) -> Models:
        """Compile what can be used of `snapshots`: the current model of each task, by task."""
        judges: dict[str, Judge] = {}
        paused: dict[str, str] = {}
        for name in names(learning):
            if name not in snapshots:
                continue
            try:
                judges[name] = _judge(name, snapshots[name], learning)
            except ValueError as error:
                paused[name] = str(error)
        return cls(snapshots, judges, paused, _quantiles(learning, snapshots.get(POPULATION)))

    def under(self, learning: Learning | None) -> Models | None:
        """Return the same models under another catalogue."""
        return None if learning is None else Models.of(learning, self._snapshots)

    @property
    def versions(self) -> dict[str, int]:
        """The versions in use, by task."""
        return {name: judge.version for name, judge in self._judges.items()}

    def over(self, values: Mapping[str, Any], hashes: Hashes) -> Judged:
        """Look at m users: a column of values for each feature, and the users' hashes (m,)."""
        return Judged(self._judges, Users(Frame(values), hashes, self._looks))


class Judged(Judgement):
    """What models say of some users."""

    def __init__(self, judges: Mapping[str, Judge], users: Users) -> None:
        self._judges = judges
        self._users = users

    def wanted(self, tag: str, before: NDArray[np.uint16]) -> Wanted | None:
        """What a tag should be after the states `before` (m,); None where no model says."""
        judge = self._judges.get(tag)
        if judge is None or judge.state not in TAGGING:
            return None
        return judge.wanted(self._users, before)

    def scores(self, task: str) -> Scores | None:
        """The probabilities of a prediction, of all users; None where no model gives any."""
        judge = self._judges.get(task)
        if not isinstance(judge, Predictor):
            return None
        return Scores(judge.scores(self._users), judge.version)


def _judge(name: str, model: Model, learning: Learning) -> Judge:
    """Compile a model; ValueError says why it cannot be used."""
    if model.state not in USABLE:
        raise ValueError(f"its model is {model.state}")
    judge = compiled(name, model, learning)
    if gone := [column for column in judge.columns if column not in learning.columns]:
        raise ValueError(f"nothing is learned from {', '.join(gone)} any more")
    return judge


def _revision(*parts: Mapping[str, object]) -> str:
    text = msgspec.json.encode([dict(part) for part in parts], order="sorted")
    return blake2b(text, digest_size=6).hexdigest()


def _quantiles(learning: Learning, population: Model | None) -> dict[str, float]:
    """What the population's model says of the names that rules use."""
    if population is None or not isinstance(population.scorer, Quantiles):
        return {}
    if population.trained.examples < LEAST:
        # Of a handful of users a quantile is anybody's value.
        return {}
    found: dict[str, float] = {}
    for name in learning.quantiles:
        level, _, feature = name.partition(".")
        for share, value in population.scorer.by_column.get(feature, ()):
            if f"q{round(100 * share)}" == level:
                found[name] = value
    return found
