"""From declarations to storage: what a row keeps, and how each feature reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from stream_app.domain.layout import Field, Layout
from stream_app.features.bound import BoundFeatures
from stream_app.features.cost import FeatureCost, costs
from stream_app.features.declaration import NO_WINDOW, Declaration
from stream_app.features.needs import needs
from stream_app.features.storage import Storage, fields_of, row_fields
from stream_app.features.where import columns_of, condition

#: What a feature's column is; every other kind is a number.
_KINDS: Final = {"top": "list", "last": "text", "usual": "text"}


@dataclass(frozen=True, slots=True)
class FeatureSettings:
    """The shop's clock and money: `night` from hour to hour, `exponent` digits of minor units."""

    timezone: str = "UTC"
    night: tuple[int, int] = (22, 6)
    session_gap_ms: int = 1_800_000
    exponent: int = 2


class Features:
    """A compiled `features:` section, not yet bound to a row layout."""

    def __init__(self, declarations: Mapping[str, Declaration], settings: FeatureSettings) -> None:
        self.declarations = dict(declarations)
        self.settings = settings
        self.storages: dict[Storage, set[int]] = {}
        for declaration in declarations.values():
            for storage, window in needs(declaration):
                self.storages.setdefault(storage, set()).add(window)
        self.fields: tuple[Field, ...] = row_fields(self.storages)

    @property
    def names(self) -> tuple[str, ...]:
        """Feature names in declared order."""
        return tuple(self.declarations)

    @property
    def kept(self) -> dict[str, tuple[str, ...]]:
        """Per feature: the fields of a row that it alone or with others reads; of some none."""
        return {
            name: tuple(
                field.name
                for storage, _ in needs(declaration)
                for field in fields_of(storage, self.storages[storage])
            )
            for name, declaration in self.declarations.items()
        }

    @property
    def kinds(self) -> dict[str, str]:
        """Per feature: number, text or list."""
        return {name: _KINDS.get(d.kind, "number") for name, d in self.declarations.items()}

    @property
    def windows(self) -> dict[str, tuple[int, int]]:
        """Per feature that has a window: its length and the width of its panes, in ms."""
        return {
            name: (d.window.length_ms, d.window.pane_ms)
            for name, d in self.declarations.items()
            if d.window != NO_WINDOW
        }

    @property
    def columns(self) -> frozenset[str]:
        """The columns of a batch that the features read."""
        columns: set[str] = set()
        for declaration in self.declarations.values():
            source = declaration.source
            columns |= {source.field} - {""}
            if source.where:
                columns |= columns_of(condition(source.where))
        return frozenset(columns)

    @property
    def passing(self) -> frozenset[str]:
        """Features that change as time passes: they belong in the thresholds given to `due`."""
        found: set[str] = set()
        for _ in self.declarations:
            found |= {
                name
                for name, d in self.declarations.items()
                if d.kind in ("hours_since", "tenure") or found & set(d.of)
            }
        return frozenset(found)

    def bind(self, layout: Layout) -> BoundFeatures:
        """The features over rows of a layout that has all their fields."""
        return BoundFeatures(layout, self)

    def describe(self) -> list[FeatureCost]:
        """What each feature costs in a row."""
        return costs(self.declarations, self.storages)


def compile_features(
    declarations: Mapping[str, Declaration], settings: FeatureSettings
) -> Features:
    """Work out storage and readers; features that need the same storage share it."""
    return Features(declarations, settings)
