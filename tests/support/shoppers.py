"""Features over rows by user: what tests of the fold need around it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from support.batches import Event, batch_of

from stream_app.domain.layout import Layout
from stream_app.domain.source import loads
from stream_app.features import (
    BoundFeatures,
    Dictionary,
    Features,
    FeatureSettings,
    Weighted,
    compile_features,
    declare,
)


class Shoppers:
    """Rows of some users under the features that a YAML text declares."""

    def __init__(self, features: str, **settings: Any) -> None:
        self.features, self.layout, self.bound = _bound(features, FeatureSettings(**settings))
        self.strings = Dictionary()
        self.users: dict[str, int] = {}
        self.rows = self.layout.blank(0)

    def fold(self, events: Sequence[Event]) -> list[bool]:
        """Fold one batch; which of its events (clicks first) were duplicates."""
        batch = batch_of(events)
        for user in batch.user:
            self.users.setdefault(user, len(self.users))
        grown = len(self.users) - len(self.rows)
        self.rows = np.concatenate((self.rows, self.layout.blank(grown)))
        index = np.array([self.users[user] for user in batch.user], np.intp)
        return self.bound.fold(self.rows, index, batch, self.strings).duplicates.tolist()

    def values(self, now: int, user: str = "u") -> dict[str, Any]:
        """A user's features as plain values: None for missing, lists of (text, share)."""
        columns = self.bound.values(self.rows, now, self.strings)
        return {name: plain(column, self.users[user]) for name, column in columns.items()}

    def due(
        self,
        now: int,
        thresholds: Mapping[str, Sequence[float]] | None = None,
        opaque: Collection[str] = (),
        user: str = "u",
    ) -> int:
        """When the user's row is due."""
        found = self.bound.due(self.rows, now, thresholds or {}, opaque)
        return int(found[self.users[user]])


@lru_cache(maxsize=64)
def _bound(text: str, settings: FeatureSettings) -> tuple[Features, Layout, BoundFeatures]:
    features = compile_features(declare(loads(text)), settings)
    layout = Layout.of(features.fields)
    return features, layout, features.bind(layout)


def plain(column: Any, row: int) -> Any:
    """One value of a column."""
    if isinstance(column, Weighted):
        pairs = zip(column.codes[row].tolist(), column.shares[row].tolist(), strict=True)
        return [(column.values[code], share) for code, share in pairs if code >= 0]
    if isinstance(column, np.ndarray):
        value = float(column[row])
        return None if np.isnan(value) else value
    code = int(column.codes[row])
    return None if code < 0 else column.values[code]
