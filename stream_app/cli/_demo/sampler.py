"""Which of thousands of changes to show: a few a second, and all kinds of them in turn."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from stream_app.domain.changes import TagChange


@dataclass(slots=True)
class Sampler:
    """Between two shown changes it keeps the one whose class, tag and action were shown least.

    So a tag that one user in a hundred gets is seen as often as one that flips all day.
    """

    _best: TagChange | None = None
    _rank: tuple[int, int, int] = (0, 0, 0)
    _shown: Counter[tuple[str, ...]] = field(default_factory=Counter)

    def offer(self, change: TagChange) -> None:
        """Take a change into account."""
        rank = self._rank_of(change)
        if self._best is None or rank < self._rank:
            self._best, self._rank = change, rank

    def take(self) -> TagChange | None:
        """The change to show now; None when there was none since the last."""
        best, self._best = self._best, None
        if best is not None:
            self._shown.update([(best.cls,), (best.tag,), (best.tag, best.action)])
        return best

    def is_new(self, change: TagChange) -> bool:
        """Whether a change that was just taken is the first of its tag to be shown."""
        return self._shown[change.tag,] == 1

    def _rank_of(self, change: TagChange) -> tuple[int, int, int]:
        shown = self._shown
        # A tag that goes tells less than one that comes.
        going = change.action == "removed"
        return shown[change.tag, change.action], shown[change.cls,] + going, shown[change.tag,]
