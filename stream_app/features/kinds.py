"""The kinds of features: which keys a declaration of each has, and what they mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from stream_app.domain.batch import EVENT_TYPES
from stream_app.domain.errors import nearest
from stream_app.domain.expression import ExpressionError
from stream_app.domain.source import Node
from stream_app.features import selectors as sel
from stream_app.features.where import condition
from stream_app.features.windows import DAY, DAY_MS, HOUR_MS, Window, window_of

#: `usual` forgets half of what it knows in this time.
USUAL_HALF_LIFE_MS: Final = 30 * DAY_MS
MAX_WEIGHT: Final = 1_000.0
TENURE_UNITS_MS: Final = {"days": DAY_MS, "hours": HOUR_MS}

#: Members of a Declaration; and the keys of a declared feature.
Members = dict[str, Any]
Given = Mapping[str, Node]


def _where(given: Given) -> str:
    node = given.get("where")
    if node is None:
        return ""
    text = " ".join(node.text().split())
    try:
        condition(text)
    except ExpressionError as error:
        raise node.error(str(error), "a condition on the event's fields") from error
    return text


def _counted(node: Node, given: Given) -> Members:
    source = sel.Source(sel.types_of(node), where=_where(given))
    return {"source": source, "window": window_of(given["window"])}


def _amount(node: Node, given: Given) -> Members:
    types, field = sel.field_of(node, sel.NUMBER_FIELDS)
    source = sel.Source(types, field, _where(given))
    return {"source": source, "window": window_of(given["window"])}


def _distinct(node: Node, given: Given) -> Members:
    types, field = sel.field_of(node, sel.TEXT_FIELDS)
    source = sel.Source(types, field, _where(given))
    return {"source": source, "window": window_of(given["window"])}


def _since(node: Node, given: Given) -> Members:
    return {"source": sel.Source(sel.types_of(node), where=_where(given))}


def _tenure(node: Node, given: Given) -> Members:
    return {"unit_ms": TENURE_UNITS_MS[node.one_of(TENURE_UNITS_MS)]}


def _active_days(node: Node, given: Given) -> Members:
    members = _counted(node, given)
    window: Window = members["window"]
    if window.pane != DAY:
        raise given["window"].error("active days are counted by the day", "1d to 31d")
    return members


def _sessions(node: Node, given: Given) -> Members:
    members = _counted(node, given)
    _one_topic(node, members["source"])
    return members


def _cancellations(node: Node, given: Given) -> Members:
    types = sel.types_of(node)
    if types != sel.GROUPS["purchases"]:
        raise node.error("a cancellation joins a refund with its purchase", "purchases")
    source = sel.Source(types, "transaction_id")
    return {"source": source, "window": window_of(given["window"])}


def _top(node: Node, given: Given) -> Members:
    of = given["of"]
    field = sel.checked_field(of, of.text(), sel.TEXT_FIELDS)
    types = sel.types_of(node)
    sel.check_carried(of, types, field)
    source = sel.Source(types, field, _where(given))
    _one_topic(node, source)
    return {
        "source": source,
        "half_life_ms": given["half_life"].duration_ms(),
        "weights": _weights(given.get("weights"), types),
    }


def _weights(node: Node | None, types: tuple[int, ...]) -> tuple[float, ...]:
    weights = [1.0] * len(EVENT_TYPES)
    names = [EVENT_TYPES[code] for code in types]
    for name, child in node.items() if node is not None else ():
        if name not in names:
            raise child.error(f"{name!r} is not selected", nearest(name, names))
        weight = child.number()
        if not 0 < weight <= MAX_WEIGHT:
            raise child.error(f"weight {weight:g} is out of range", f"above 0, to {MAX_WEIGHT:g}")
        weights[EVENT_TYPES.index(name)] = weight
    return tuple(weights)


def _carried(node: Node, given: Given) -> sel.Source:
    field = sel.checked_field(node, node.text(), sel.TEXT_FIELDS)
    origin = given.get("from")
    types = sel.carriers(field) if origin is None else sel.types_of(origin)
    sel.check_carried(origin or node, types, field)
    return sel.Source(types, field, _where(given))


def _last(node: Node, given: Given) -> Members:
    return {"source": _carried(node, given)}


def _usual(node: Node, given: Given) -> Members:
    source = _carried(node, given)
    if "from" not in given and len(source.topics) > 1:
        source = sel.Source(sel.GROUPS["clicks"], source.field, source.where)
    _one_topic(given.get("from", node), source)
    return {
        "source": source,
        "half_life_ms": USUAL_HALF_LIFE_MS,
        "weights": (1.0,) * len(EVENT_TYPES),
    }


def _ratio(node: Node, given: Given) -> Members:
    names = [child.text() for child in node.elements()]
    if len(names) != 2:
        raise node.error(f"names {len(names)} features", "[numerator, denominator]")
    return {"of": (names[0], names[1])}


def _one_topic(node: Node, source: sel.Source) -> None:
    if len(source.topics) > 1:
        raise node.error("mixes clicks and purchases, whose order is not fixed", "one of them")


Reader = tuple[tuple[str, ...], tuple[str, ...], Callable[[Node, Given], Members]]
_WINDOWED: Final = ("window", "where")
#: Kind: the other keys it may have, those it must have, and what reads them.
KINDS: Final[Mapping[str, Reader]] = {
    "count": (_WINDOWED, ("window",), _counted),
    "sum": (_WINDOWED, ("window",), _amount),
    "mean": (_WINDOWED, ("window",), _amount),
    "max": (_WINDOWED, ("window",), _amount),
    "distinct": (_WINDOWED, ("window",), _distinct),
    "hours_since": (("where",), (), _since),
    "tenure": ((), (), _tenure),
    "active_days": (_WINDOWED, ("window",), _active_days),
    "sessions": (("window",), ("window",), _sessions),
    "cancellations": (("window",), ("window",), _cancellations),
    "share": (_WINDOWED, ("window", "where"), _counted),
    "top": (("of", "half_life", "weights", "where"), ("of", "half_life"), _top),
    "last": (("from", "where"), (), _last),
    "usual": (("from", "where"), (), _usual),
    "ratio": ((), (), _ratio),
}
