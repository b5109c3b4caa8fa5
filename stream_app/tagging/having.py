"""How many rows have each tag, counted without looking at what it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stream_app.domain.layout import Layout, Rows
from stream_app.tagging.codes import VALUES, list_field
from stream_app.tagging.declarations import Learned, Listed, TagDeclaration
from stream_app.tagging.rules import is_set


def having(tags: Sequence[TagDeclaration], layout: Layout, rows: Rows) -> dict[str, int]:
    """The number of rows (m,) that have each of the declared tags, by its name."""
    if not tags:
        return {}
    # In the block of values comes first what rules say, then what models say.
    scalar = [tag for tag in tags if not isinstance(tag.form, Listed)]
    scalar.sort(key=lambda tag: isinstance(tag.form, Learned))
    found = {}
    if scalar:
        counts = np.count_nonzero(is_set(layout.block(rows, VALUES)), axis=0).tolist()
        found = dict(zip((tag.name for tag in scalar), counts, strict=True))
    for tag in tags:
        if isinstance(tag.form, Listed):
            # The first place can be empty while others are not.
            entries = rows[list_field(tag.name).name].max(axis=1)
            found[tag.name] = int(np.count_nonzero(is_set(entries)))
    return found
