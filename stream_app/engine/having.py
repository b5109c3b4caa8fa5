"""How many users of a partition have each tag: counted once, then kept by the changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

import numpy as np

from stream_app.engine.catalogue import Program
from stream_app.engine.profiles import Profiles
from stream_app.tagging.declarations import Listed
from stream_app.tagging.having import having

#: Rows counted at a time: of rows on a disk about as long as a small fold.
_SLICE: Final = 2_000
_BY = {"added": 1, "removed": -1}


class TagUsers:
    """`counts` of one partition's users by tag, as its profiles are.

    Of profiles on a disk they go on from what the last commit says. Where nobody says it they are
    None until `count_some` has gone through all rows; nothing may change them meanwhile.
    """

    def __init__(self, profiles: Profiles, known: Mapping[str, int] | None = None) -> None:
        """Begin after a restore; `known` is what the last commit says."""
        self.counts: dict[str, int] | None = None if known is None else dict(known)
        self.recount(profiles)

    def recount(self, profiles: Profiles) -> None:
        """Begin to count, or take over what is known of the tags that are declared now."""
        self._next, self._so_far = 0, Counter[str]()
        if not len(profiles):
            self.counts = {}
        elif type(profiles) is Profiles:
            self.counts = None
        if self.counts is not None:
            declared = profiles.program.catalogue.tags.declarations
            self.counts = {name: self.counts.get(name, 0) for name in declared}

    def count_some(self, profiles: Profiles) -> None:
        """Count the rows that come next, where nobody knows."""
        if self.counts is not None:
            return
        program, end = profiles.program, min(self._next + _SLICE, profiles.extent)
        tags = program.catalogue.tags.declarations
        rows = profiles.gather(np.arange(self._next, end, dtype=np.intp))
        self._so_far.update(having(tuple(tags.values()), program.layout, rows))
        self._next = end
        if end == profiles.extent:
            self.counts = {name: self._so_far[name] for name in tags}

    def adopt(self, profiles: Profiles, before: Program) -> None:
        """Go on with profiles that were those of the catalogue `before`."""
        declared = profiles.program.catalogue.tags.declarations
        for name, tag in before.catalogue.tags.declarations.items():
            # A list has another place in the row, which begins empty.
            listed = name in declared and isinstance(declared[name].form, Listed)
            if self.counts is not None and listed != isinstance(tag.form, Listed):
                self.counts.pop(name, None)
        self.recount(profiles)

    def change(self, changes: Mapping[tuple[str, ...], int]) -> None:
        """Take what a round changed, by tag and action."""
        if self.counts is not None:
            for (tag, action), n in changes.items():
                if tag in self.counts:
                    self.counts[tag] += n * _BY.get(action, 0)
