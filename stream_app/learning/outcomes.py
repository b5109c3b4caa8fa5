"""What a prediction predicts: features that, at the horizon, count exactly what came after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import lcm

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.clock import DAY, HOUR
from stream_app.domain.expression import Environment, Expression, ExpressionError, Frame, parse
from stream_app.domain.source import Node
from stream_app.learning.shares import share

#: Per feature that has a window: the window's length and the width of its panes, in ms.
Windows = Mapping[str, tuple[int, int]]
_TEN_YEARS = 3_650 * DAY


@dataclass(frozen=True, slots=True)
class Holds:
    """Whether a condition is true."""

    when: Expression

    @property
    def names(self) -> frozenset[str]:
        """The features that are looked at."""
        return self.when.names

    def values(self, environment: Environment | Frame) -> NDArray[np.float64]:
        """1.0 where it is true, 0.0 where it is false or unknown, (n,)."""
        return self.when.true(environment).astype(np.float64)


@dataclass(frozen=True, slots=True)
class Largest:
    """Whether a feature is among the cohort's largest: the share `top` of all."""

    feature: str
    top: float

    @property
    def names(self) -> frozenset[str]:
        """The feature that is looked at."""
        return frozenset((self.feature,))

    def values(self, environment: Environment | Frame) -> NDArray[np.float64]:
        """The feature, (n,), 0.0 where it is missing: the cut is known when the cohort is."""
        column = np.asarray(Frame.of(environment).columns[self.feature], dtype=np.float64)
        return np.where(np.isnan(column), 0.0, column)


Outcome = Holds | Largest


def condition(node: Node, kinds: Mapping[str, str]) -> Expression:
    """A condition over features of the given kinds."""
    if not isinstance(node.value, str):
        raise node.error("is not a condition", "an expression such as orders_7d > 0")
    try:
        return parse(node.value, kinds)
    except ExpressionError as error:
        raise node.error(f"{error.message} (column {error.column} of the expression)") from error


def read_outcome(
    node: Node, kinds: Mapping[str, str], windows: Windows, horizon_ms: int
) -> Outcome:
    """A condition, or `{top: SHARE, of: FEATURE}`; every window in it is the horizon."""
    outcome: Outcome
    if isinstance(node.value, dict):
        outcome, place = _largest(node, kinds)
    else:
        outcome, place = Holds(condition(node, kinds)), node
    for name in sorted(outcome.names):
        _check_window(place, name, windows, horizon_ms)
    return outcome


def every_days(outcome: Outcome, windows: Windows) -> int:
    """Days from one sample to the next: windows cover the horizon only where their panes end.

    Panes are counted from 1970-01-01, so that those of three days end with every third day.
    """
    return lcm(*(max(1, windows[name][1] // DAY) for name in outcome.names))


def _largest(node: Node, kinds: Mapping[str, str]) -> tuple[Largest, Node]:
    node.check_keys(("top", "of"), required=("top", "of"))
    given = dict(node.items())
    of = given["of"]
    name = of.one_of(known for known, kind in kinds.items() if kind == "number")
    return Largest(name, share(given["top"], most=0.5)), of


def _check_window(node: Node, name: str, windows: Windows, horizon_ms: int) -> None:
    length = windows[name][0] if name in windows else 0
    if length == horizon_ms:
        return
    wanted = _text(horizon_ms)
    fitting = sorted(known for known, (covered, _) in windows.items() if covered == horizon_ms)
    found = ", such as " + ", ".join(fitting[:5]) if fitting else ", of which there is none yet"
    if name not in windows:
        problem = "has no window, so it says more than what came after the sample"
    elif length > _TEN_YEARS:
        problem = "is over all time, and so says more than what came after the sample"
    else:
        problem = f"is over {_text(length)}, the horizon is {wanted}"
    raise node.error(f"{name} {problem}", f"features with a window of {wanted}{found}")


def _text(ms: int) -> str:
    return f"{ms // HOUR}h" if ms % DAY else f"{ms // DAY}d"
