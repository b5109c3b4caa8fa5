"""What is published of segments, for a trainer that folds its log again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from stream_app.learning.scorers import Centroids
from stream_app.learning.snapshot import Model

Published = tuple[Model, Centroids]


class History:
    """Published segments, the oldest first, each given once. True while some wait for their day."""

    def __init__(self, models: Sequence[Model] = ()) -> None:
        """Take models of any kind in any order; others than segments are left out."""
        found = {m.version: (m, m.scorer) for m in models if isinstance(m.scorer, Centroids)}
        self._waiting = [found[version] for version in sorted(found)]

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def before(self, day: int) -> Iterator[Published]:
        """Give those of the days before `day`, whose day ends the log does not have any more."""
        while self._waiting and self._waiting[0][0].version < day:
            yield self._waiting.pop(0)

    def at(self, day: int) -> Published | None:
        """Give that of `day`, if there is one."""
        if self._waiting and self._waiting[0][0].version == day:
            return self._waiting.pop(0)
        return None
