"""Declarations → rules with their places in a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stream_app.domain.expression import Number
from stream_app.domain.layout import Field, Layout
from stream_app.tagging.bound import BoundTags
from stream_app.tagging.codes import confidence_field, list_field, since_field, value_field
from stream_app.tagging.declarations import Learned, Listed, TagDeclaration


@dataclass(frozen=True, slots=True)
class Tags:
    """Compiled tags, not yet bound to a layout.

    `thresholds` are all constants that each number feature is compared to directly, ascending, and
    `moving` what quantiles make of it; `opaque` the number features that some rule uses in another
    way; `features` all that are used; `quantiles` those of all users that conditions name
    ("q90.spend_30d").
    """

    names: tuple[str, ...]
    fields: tuple[Field, ...]
    thresholds: Mapping[str, tuple[float, ...]]
    moving: frozenset[tuple[str, Number]]
    opaque: frozenset[str]
    features: frozenset[str]
    quantiles: frozenset[str]
    declarations: Mapping[str, TagDeclaration] = field(repr=False)

    def bind(self, layout: Layout) -> BoundTags:
        """The tags on rows of `layout`, which has all of `fields`."""
        return BoundTags(tuple(self.declarations.values()), layout)


def compile_tags(declarations: Mapping[str, TagDeclaration], kinds: Mapping[str, str]) -> Tags:
    """Compile what `declare` read with the same kinds of features; ValueError if one is gone."""
    # What models say comes last: the states of what rules say are one block without gaps.
    tags = sorted(declarations.values(), key=lambda tag: isinstance(tag.form, Learned))
    expressions = [expression for tag in tags for expression in tag.expressions]
    used = frozenset[str]().union(*(tag.features for tag in tags))
    if unknown := used - kinds.keys():
        raise ValueError(f"tags use features that are not there: {sorted(unknown)}")
    thresholds: dict[str, set[float]] = {}
    for expression in expressions:
        for name, constant in expression.thresholds:
            thresholds.setdefault(name, set()).add(constant)
    return Tags(
        names=tuple(tag.name for tag in tags),
        fields=_fields(tags),
        thresholds={name: tuple(sorted(found)) for name, found in thresholds.items()},
        moving=frozenset(one for expression in expressions for one in expression.moving),
        opaque=frozenset[str]().union(*(expression.opaque for expression in expressions)),
        features=used,
        quantiles=frozenset[str]().union(*(tag.quantiles for tag in tags)),
        declarations={tag.name: tag for tag in tags},
    )


def _fields(tags: list[TagDeclaration]) -> tuple[Field, ...]:
    states = [
        list_field(tag.name) if isinstance(tag.form, Listed) else value_field(tag.name)
        for tag in tags
    ]
    learned = [tag.name for tag in tags if isinstance(tag.form, Learned)]
    return (
        *states,
        *(since_field(tag.name) for tag in tags),
        *(confidence_field(name) for name in learned),
    )
