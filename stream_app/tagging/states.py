"""What is set on rows, as values or as the text that a message has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream_app.domain.changes import TagStatus, TagValue
from stream_app.domain.clock import SECOND
from stream_app.domain.layout import Layout, Rows
from stream_app.domain.moments import texts as moments
from stream_app.tagging.codes import CONFIDENCE, SINCE, STEPS, VALUES, list_field
from stream_app.tagging.declarations import Learned, Listed, TagDeclaration
from stream_app.tagging.learned import LearnedRule
from stream_app.tagging.lists import names
from stream_app.tagging.rules import Codes, Rule, is_set

_ALL: Final = slice(None)
_JSON: Final = msgspec.json.Encoder()
#: The confidences that there are, by step.
_SURE: Final = [repr(step / STEPS) for step in range(STEPS + 1)]


class _Set(NamedTuple):
    """States that are set (k,): row and place, both ascending, code, since when (s), how surely.

    `entries` are those of lists, by place and row.
    """

    row: NDArray[np.intp]
    place: NDArray[np.intp]
    codes: Codes
    since: NDArray[np.int64]
    steps: Codes
    entries: dict[int, list[list[int]]]


class States:
    """Reads the states of `tags` from rows; `rules` are by place, those of lists are not there."""

    def __init__(
        self,
        tags: Sequence[TagDeclaration],
        layout: Layout,
        rules: Mapping[int, Rule | LearnedRule],
    ) -> None:
        self._tags = list(tags)
        self._layout = layout
        self._rules = dict(rules)
        forms = list(enumerate(tag.form for tag in tags))
        self._lists = {p: list_field(tags[p].name).name for p, f in forms if isinstance(f, Listed)}
        self._learned = [p for p, form in forms if isinstance(form, Learned)]
        self._places = [p for p, _ in forms if p not in self._lists]
        self._lasting = np.array([tag.expires_ms for tag in tags], dtype=np.int64) // SECOND
        self._ends = self._lasting > 0
        #: By place and code, what `_head` says; not of lists, whose entries are many.
        self._heads: dict[int, str] = {}

    def of(self, rows: Rows, texts: Sequence[str]) -> list[dict[str, TagStatus]]:
        """The tags of each of the rows, in declared order."""
        states: list[dict[str, TagStatus]] = [{} for _ in rows]
        found = self._set(rows, _ALL)
        columns = (found.row, found.place, found.codes, found.since, found.steps)
        for row, place, code, since, step in zip(*(c.tolist() for c in columns), strict=True):
            tag = self._tags[place]
            entries = found.entries.get(place)
            value = names(entries[row], texts) if entries else self._rules[place].value(code)
            # None: a value that is declared no more.
            if value is not None:
                states[row][tag.name] = {
                    "value": value,
                    "confidence": step / STEPS,
                    "since": since * SECOND,
                    "valid_until": since * SECOND + tag.expires_ms if tag.expires_ms else None,
                }
        return states

    def in_json(self, rows: Rows, texts: Sequence[str], chosen: Sequence[int]) -> list[str]:
        """The same of the rows `chosen` by index, as objects in JSON.

        Column by column, and each value's text made once: rounds with many changes spend most of
        their time here, and encoding what `of` returns takes twice as long.
        """
        found = self._set(rows, chosen)
        ends = self._ends[found.place]
        until = np.full(len(ends), "null", dtype=object)
        until[ends] = [
            f'"{end}"' for end in moments((found.since + self._lasting[found.place])[ends])
        ]
        cells = zip(
            self._heads_of(found, texts), found.steps.tolist(), moments(found.since),
            until.tolist(), strict=True,
        )  # fmt: skip
        parts = [
            f'{head}{_SURE[step]},"since":"{since}","valid_until":{end}}}' if head else ""
            for head, step, since, end in cells
        ]
        bounds = np.searchsorted(found.row, np.arange(len(chosen) + 1)).tolist()
        return ["{" + ",".join(filter(None, parts[a:b])) + "}" for a, b in pairwise(bounds)]

    def _heads_of(self, found: _Set, texts: Sequence[str]) -> list[str]:
        """What stands before each confidence: name and value; empty for one declared no more."""
        keys = (found.place << 16 | found.codes).tolist()
        known = self._heads
        heads = [known.get(key) for key in keys]
        # Entries mean what `texts` say, which are not the same at the next call.
        lists: dict[tuple[int, ...], str] = {}
        for k in [k for k, head in enumerate(heads) if head is None]:
            place, code = keys[k] >> 16, keys[k] & 0xFFFF
            if entries := found.entries.get(place):
                key = (place, *entries[found.row[k]])
                if key not in lists:
                    lists[key] = self._head(place, names(key[1:], texts))
                heads[k] = lists[key]
            else:
                heads[k] = known[keys[k]] = self._head(place, self._rules[place].value(code))
        return [head or "" for head in heads]

    def _head(self, place: int, value: TagValue) -> str:
        if value is None:
            return ""
        return f'{_text(self._tags[place].name)}:{{"value":{_text(value)},"confidence":'

    def _set(self, rows: Rows, chosen: Any) -> _Set:
        """What is set, by row and place."""
        since = self._layout.block(rows, SINCE)[chosen]
        codes, entries = self._codes(rows, chosen, since.shape)
        # Few of the tags are set on a row: only those are looked at one by one.
        row, place = is_set(codes).nonzero()
        steps = self._steps(rows, chosen, since.shape)[row, place]
        began = since[row, place].astype(np.int64)
        return _Set(row, place, codes[row, place], began, steps, entries)

    def _codes(
        self, rows: Rows, chosen: Any, shape: tuple[int, ...]
    ) -> tuple[Codes, dict[int, list[list[int]]]]:
        """State codes (n, tags), of a list one of its entries; and the lists' entries by place."""
        codes = np.zeros(shape, dtype=np.uint16)
        if self._places:
            codes[:, self._places] = self._layout.block(rows, VALUES)[chosen]
        entries = {}
        for place, field in self._lists.items():
            listed = rows[field][chosen]
            # The first place can be empty while others are not.
            codes[:, place] = listed.max(axis=1)
            entries[place] = listed.tolist()
        return codes, entries

    def _steps(self, rows: Rows, chosen: Any, shape: tuple[int, ...]) -> Codes:
        """How sure each tag (n, tags) is, in steps; what rules say is certain."""
        steps = np.full(shape, STEPS, dtype=np.uint16)
        if self._learned:
            steps[:, self._learned] = self._layout.block(rows, CONFIDENCE)[chosen]
        return steps


def _text(value: Any) -> str:
    return _JSON.encode(value).decode()
