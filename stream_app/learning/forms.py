"""How a probability becomes a tag: three bands, a threshold of known precision, or the top."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from stream_app.domain.source import Node
from stream_app.learning.shares import below_one, share


@dataclass(frozen=True, slots=True)
class Bands:
    """Values `mid`, `high` and `top` from the ascending `edges` on.

    A user leaves a band when the probability falls `margin` below its edge.
    """

    edges: tuple[float, float, float]
    margin: float


@dataclass(frozen=True, slots=True)
class Precision:
    """A flag above the threshold from which on the share `target` of those tagged is right."""

    target: float


@dataclass(frozen=True, slots=True)
class TopShare:
    """A flag for the `share` of users with the highest probabilities."""

    share: float


Form = Bands | Precision | TopShare

_EDGES: Final = ("mid", "high", "top")


def read_form(node: Node) -> Form:
    """The form of a prediction: exactly one of `bands`, `precision` and `top`."""
    found = [key for key in _FORMS if node.get(key)]
    if len(found) != 1:
        problem = "has several forms: " + ", ".join(found) if found else "has no form"
        raise node.error(problem, "one of " + ", ".join(_FORMS))
    return _FORMS[found[0]](dict(node.items())[found[0]])


def _bands(node: Node) -> Bands:
    node.check_keys((*_EDGES, "margin"), required=(*_EDGES, "margin"))
    given = dict(node.items())
    mid, high, top = (share(given[key]) for key in _EDGES)
    if not mid < high < top < 1:
        raise node.error("the edges do not ascend", "0 < mid < high < top < 1")
    margin, gap = below_one(given["margin"]), min(b - a for a, b in pairwise((0, mid, high, top)))
    if margin >= gap:
        raise given["margin"].error(f"{margin:g} spans a whole band", f"less than {gap:g}")
    return Bands((mid, high, top), margin)


_FORMS: Final[Mapping[str, Callable[[Node], Form]]] = {
    "bands": _bands,
    "precision": lambda node: Precision(share(node)),
    "top": lambda node: TopShare(share(node)),
}
FORM_KEYS: Final = tuple(_FORMS)
