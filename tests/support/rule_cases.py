"""Random conditions of the rule language and random columns to evaluate them on."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from hypothesis import strategies as st
from support.reference_rules import names as names_of

from stream_app.domain.expression import Text

Row = dict[str, float | str | None]

NUMBERS = ("a", "b", "hours")
TEXTS = ("device", "usual")
#: Quantiles of all users that conditions may name.
QUANTILES = ("q50.a", "q90.a", "q90.hours")
KINDS = {**dict.fromkeys(NUMBERS, "number"), **dict.fromkeys(TEXTS, "text")}
WORDS = ("mobile", "desktop", "tv")
#: Few and small, so that rows lie on thresholds often; halves and whole numbers are exact.
CONSTANTS = ("-1", "0", "0.5", "1", "2", "3")

_quoted = st.sampled_from([repr(word) for word in (*WORDS, "none")])
_constants = st.sampled_from(CONSTANTS)
_order = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
_equal = st.sampled_from(["==", "!="])
_within = st.sampled_from(["in", "not in"])


def _join(*parts: Any) -> st.SearchStrategy[str]:
    strategies = [st.just(part) if isinstance(part, str) else part for part in parts]
    return st.tuples(*strategies).map("".join)


def _listed(items: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(items, min_size=1, max_size=3).map(lambda found: f"[{', '.join(found)}]")


_text = st.one_of(
    st.sampled_from(TEXTS), _join("coalesce(", st.sampled_from(TEXTS), ", ", _quoted, ")")
)


def _arithmetic(names: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.recursive(
        names,
        lambda inner: st.one_of(
            _join("(", inner, st.sampled_from([" + ", " - ", " * ", " / "]), inner, ")"),
            _join("(", inner, st.sampled_from([" + ", " / "]), _constants, ")"),
            _join("coalesce(", inner, ", ", _constants, ")"),
            _join("abs(", inner, ")"),
            _join(st.sampled_from(["min", "max"]), "(", inner, ", ", inner, ")"),
            _join("(-", inner, ")"),
        ),
        max_leaves=3,
    )


@cache
def _comparisons(quantiles: bool) -> st.SearchStrategy[str]:
    bare = st.sampled_from(NUMBERS)
    names = st.sampled_from((*NUMBERS, *QUANTILES)) if quantiles else bare
    numbers = _arithmetic(names)
    return st.one_of(
        _join(names, " ", _order, " ", _constants),
        _join(_constants, " ", _order, " ", names),
        _join(numbers, " ", _order, " ", _constants),
        _join(numbers, " ", _order, " ", numbers),
        _join(_constants, " ", _order, " ", names, " ", _order, " ", numbers),
        _join(numbers, " ", _within, " ", _listed(_constants)),
        _join(_text, " ", _equal, " ", _quoted),
        _join(_text, " ", _within, " ", _listed(_quoted)),
        _join(st.sampled_from(TEXTS), " ", _equal, " ", st.sampled_from(TEXTS)),
        _join("has(", st.one_of(numbers, _text), ")"),
        bare,
    )


def conditions(max_leaves: int = 6, *, quantiles: bool = False) -> st.SearchStrategy[str]:
    """Sources of conditions over NUMBERS and TEXTS, and over QUANTILES if wanted."""
    found = st.recursive(
        _comparisons(quantiles),
        lambda inner: st.one_of(
            _join("(", inner, " and ", inner, ")"),
            _join("(", inner, " or ", inner, " or ", inner, ")"),
            _join("(not ", inner, ")"),
        ),
        max_leaves=max_leaves,
    )
    # What compares quantiles alone is no condition.
    return found.filter(names_of) if quantiles else found


_number = st.one_of(st.none(), st.sampled_from([-1.0, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0]))
_word = st.one_of(st.none(), st.sampled_from(WORDS))
_row = st.fixed_dictionaries({**dict.fromkeys(NUMBERS, _number), **dict.fromkeys(TEXTS, _word)})


def rows(min_size: int = 1, max_size: int = 12) -> st.SearchStrategy[list[Row]]:
    """Rows with a value or None for each name."""
    return st.lists(_row, min_size=min_size, max_size=max_size)


def columns(found: list[Row]) -> dict[str, Any]:
    """The rows as columns; the two text columns number their texts differently."""
    env: dict[str, Any] = {
        name: np.array([np.nan if row[name] is None else row[name] for row in found], np.float64)
        for name in NUMBERS
    }
    for name, words in zip(TEXTS, (WORDS, (*WORDS[::-1], "spare")), strict=True):
        codes = [-1 if (word := row[name]) is None else words.index(str(word)) for row in found]
        env[name] = Text(np.array(codes, np.int32), list(words))
    return env


def everyone() -> st.SearchStrategy[dict[str, float]]:
    """A value for some of QUANTILES."""
    values = st.sampled_from([-1.0, 0.0, 0.5, 1.0, 2.0, 3.0])
    return st.fixed_dictionaries({}, optional=dict.fromkeys(QUANTILES, values))
