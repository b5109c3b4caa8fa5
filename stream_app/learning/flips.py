"""How many tags would flip if a new snapshot took the old one's place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

#: The code of users without the tag: False of a selection.
ABSENT: Final = 0


@dataclass(frozen=True, slots=True)
class Flips:
    """Of `vectors` scored twice: who has the tag before or after, and for how many it flips."""

    vectors: int
    tagged: int
    flipped: int

    @property
    def share(self) -> float | None:
        """The share of tags that flip; None without any tag.

        Of tags, not of users: of a tag that one in twenty has, a snapshot could exchange all
        without moving more than a tenth of the users.
        """
        return self.flipped / self.tagged if self.tagged else None

    def exceed(self, max_flips: float) -> bool:
        """Whether the snapshot is to be held."""
        return self.share is not None and self.share > max_flips


def flips(before: NDArray[Any], after: NDArray[Any], absent: int = ABSENT) -> Flips:
    """Compare the tags (n,) of the same vectors under the old and new scorer and thresholds.

    Tags are what `selects` or `banded` return; with `absent` NO_BAND, where the lowest band is a
    tag as well, every vector counts. To gain, to lose and to change a tag are one flip each.
    ValueError where they are not of the same vectors.
    """
    if before.shape != after.shape:
        raise ValueError(f"{before.shape} tags before, {after.shape} after")
    tagged = (before != absent) | (after != absent)
    return Flips(
        vectors=len(before),
        tagged=int(np.count_nonzero(tagged)),
        flipped=int(np.count_nonzero(before != after)),
    )
