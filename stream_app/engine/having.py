"""How many users of a partition have each tag: counted once, then kept by the changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from stream_app.engine.catalogue import Program
from stream_app.engine.profiles import Profiles
from stream_app.tagging.declarations import Listed
from stream_app.tagging.having import having

#: Rows read at a time.
_SLICE = 10_000
_BY = {"added": 1, "removed": -1}


class TagUsers:
    """`counts` of one partition's users by tag, as its profiles are.

    Of profiles on a disk they go on from what the last commit says. Where it does not say it they
    are None until `count` has read all of them.
    """

    def __init__(self, profiles: Profiles, known: Mapping[str, int] | None = None) -> None:
        """Begin after a restore; `known` is what the last commit says."""
        self.counts: dict[str, int] | None = None if known is None else dict(known)
        if not len(profiles):
            self.counts = {}
        self.recount(profiles)

    def recount(self, profiles: Profiles) -> None:
        """Count all rows, or take over what is known of the tags that are declared now."""
        declared = profiles.program.catalogue.tags.declarations
        if type(profiles) is Profiles:
            self.counts = None
            for _ in self.count(profiles):
                pass
        elif self.counts is not None:
            self.counts = {name: self.counts.get(name, 0) for name in declared}

    def count(self, profiles: Profiles) -> Iterator[int]:
        """Count all rows where nobody knows; yields now and then, to let others work meanwhile."""
        if self.counts is not None:
            return
        program = profiles.program
        tags = tuple(program.catalogue.tags.declarations.values())
        counts = dict.fromkeys((tag.name for tag in tags), 0)
        for first in range(0, profiles.extent, _SLICE):
            slots = np.arange(first, min(first + _SLICE, profiles.extent), dtype=np.intp)
            for name, n in having(tags, program.layout, profiles.gather(slots)).items():
                counts[name] += n
            yield first
        self.counts = counts

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
