"""Which events a feature looks at, and which of their fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from stream_app.domain.batch import (
    CLICK_TYPES,
    CLICKS,
    EVENT_TYPES,
    PURCHASE_TYPES,
    PURCHASES,
    STRING_COLUMNS,
)
from stream_app.domain.errors import nearest
from stream_app.domain.source import Node

CLICK_TYPE_COUNT: Final = len(CLICK_TYPES)
GROUPS: Final = {
    "any": tuple(range(len(EVENT_TYPES))),
    "clicks": tuple(range(CLICK_TYPE_COUNT)),
    "purchases": tuple(range(CLICK_TYPE_COUNT, len(EVENT_TYPES))),
}
MONEY_FIELDS: Final = frozenset({"value", "discount", "price"})
NUMBER_FIELDS: Final = MONEY_FIELDS | {"quantity"}
TEXT_FIELDS: Final = frozenset(STRING_COLUMNS)
#: Fields that purchases carry once a line.
ITEM_FIELDS: Final = frozenset({"item_id", "item_category", "price", "quantity"})
_PURCHASE_ONLY: Final = frozenset({"value", "discount", "transaction_id", "coupon"})
_BOTH: Final = ITEM_FIELDS | {"channel"}


@dataclass(frozen=True, slots=True)
class Source:
    """Events of some types for which `where` is true and, when `field` is named, that carry it.

    With a field of items the units are the clicks and the lines of purchases, else the events.
    `types` ascend.
    """

    types: tuple[int, ...]
    field: str = ""
    where: str = ""

    @property
    def topics(self) -> frozenset[int]:
        return frozenset(PURCHASES if code >= CLICK_TYPE_COUNT else CLICKS for code in self.types)

    @property
    def by_item(self) -> bool:
        """Whether lines count, not events; a click is its own line."""
        return self.field in ITEM_FIELDS and max(self.types) >= CLICK_TYPE_COUNT

    def __str__(self) -> str:
        names = [EVENT_TYPES[code] for code in self.types]
        groups = [name for name, types in GROUPS.items() if types == self.types]
        text = groups[0] if groups else "+".join(names)
        return (
            text
            + (f".{self.field}" if self.field else "")
            + (f"[{self.where}]" if self.where else "")
        )


def types_of(node: Node) -> tuple[int, ...]:
    """The event types a selector names: a type, a list of types, or one of GROUPS."""
    nodes = list(node.elements()) if isinstance(node.value, list) else [node]
    if not nodes:
        raise node.error("is empty", "at least one event type")
    return tuple(sorted({code for each in nodes for code in _types(each, each.text())}))


def field_of(node: Node, allowed: frozenset[str]) -> tuple[tuple[int, ...], str]:
    """Types and field of `selector.field`."""
    selector, dot, field = node.text().partition(".")
    if not dot:
        raise node.error(f"{selector!r} names no field", f"such as {selector}.{min(allowed)}")
    types = _types(node, selector)
    check_carried(node, types, checked_field(node, field, allowed))
    return types, field


def checked_field(node: Node, field: str, allowed: frozenset[str]) -> str:
    """The field itself, or a DeclarationError when it is not an allowed one."""
    if field not in allowed:
        raise node.error(f"unknown field {field!r}", nearest(field, allowed))
    return field


def check_carried(node: Node, types: tuple[int, ...], field: str) -> None:
    """Refuse a field that none of the event types carries."""
    if not set(types) & set(carriers(field)):
        names = CLICK_TYPES if carriers(field) == GROUPS["clicks"] else PURCHASE_TYPES
        raise node.error(f"no such event carries {field!r}", "one of " + ", ".join(names))


def carriers(field: str) -> tuple[int, ...]:
    """The event types that can carry a field."""
    if field in _BOTH:
        return GROUPS["any"]
    return GROUPS["purchases" if field in _PURCHASE_ONLY else "clicks"]


def _types(node: Node, name: str) -> tuple[int, ...]:
    if name in GROUPS:
        return GROUPS[name]
    if name not in EVENT_TYPES:
        raise node.error(f"unknown event type {name!r}", nearest(name, [*GROUPS, *EVENT_TYPES]))
    return (EVENT_TYPES.index(name),)
