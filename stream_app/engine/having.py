"""How many users of a partition have each tag: counted once, then kept by the changes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from stream_app.engine.profiles import Profiles
from stream_app.tagging.having import having

#: Rows read at a time.
_SLICE = 10_000
_BY = {"added": 1, "removed": -1}


class TagUsers:
    """`counts` of one partition's users by tag, as its profiles are.

    None where profiles are on a disk: to count them would be to read them all.
    """

    def __init__(self, profiles: Profiles) -> None:
        self.counts: dict[str, int] | None = None
        self.recount(profiles)

    def recount(self, profiles: Profiles) -> None:
        """Count all rows, after a restore or under another catalogue."""
        if type(profiles) is not Profiles:
            return
        program = profiles.program
        tags = tuple(program.catalogue.tags.declarations.values())
        counts = dict.fromkeys((tag.name for tag in tags), 0)
        for first in range(0, len(profiles), _SLICE):
            slots = np.arange(first, min(first + _SLICE, len(profiles)), dtype=np.intp)
            for name, n in having(tags, program.layout, profiles.gather(slots)).items():
                counts[name] += n
        self.counts = counts

    def change(self, changes: Mapping[tuple[str, ...], int]) -> None:
        """Take what a round changed, by tag and action."""
        if self.counts is not None:
            for (tag, action), n in changes.items():
                if tag in self.counts:
                    self.counts[tag] += n * _BY.get(action, 0)
