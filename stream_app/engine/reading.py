"""Feature values of profiles in plain Python, for people and files."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from stream_app.domain.expression import Text
from stream_app.features import Column, Weighted

#: A feature's value: a number, a text, texts with their shares, None where it is missing.
Plain = float | str | list[dict[str, Any]] | None


def plain_rows(values: Mapping[str, Column], n: int) -> Iterator[dict[str, Plain]]:
    """Yield a dictionary of feature values for each of n rows."""
    columns = {name: _plain(values[name]) for name in values}
    for i in range(n):
        yield {name: column[i] for name, column in columns.items()}


def _plain(column: Column) -> list[Plain]:
    if isinstance(column, Weighted):
        return [
            [
                {"value": column.values[code], "share": share}
                for code, share in zip(codes, shares, strict=True)
                if code >= 0
            ]
            for codes, shares in zip(column.codes.tolist(), column.shares.tolist(), strict=True)
        ]
    if isinstance(column, Text):
        return [None if code < 0 else column.values[code] for code in column.codes.tolist()]
    return [None if math.isnan(value) else value for value in column.tolist()]
