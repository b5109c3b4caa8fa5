"""Event batches from plain dicts, without decoding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from zlib import crc32

import numpy as np

from stream_app.domain.batch import (
    CLICK_TYPES,
    EVENT_TYPES,
    MISSING,
    NO_OFFSET,
    NUMBER_COLUMNS,
    STRING_COLUMNS,
    EventBatch,
    Lines,
    Strings,
)
from stream_app.domain.columns import TextCodes

Event = Mapping[str, Any]


def batch_of(events: Sequence[Event]) -> EventBatch:
    """Columns of events: `id type user at` and any column; purchases carry a list `items`.

    Amounts are minor units. Clicks come before purchases whatever their order in `events`.
    """
    ordered = sorted(events, key=lambda event: event["type"] not in CLICK_TYPES)
    lines = [(i, line) for i, e in enumerate(ordered) for line in e.get("items", ())]
    return EventBatch(
        topic=np.array([e["type"] not in CLICK_TYPES for e in ordered], np.uint8),
        type=np.array([EVENT_TYPES.index(e["type"]) for e in ordered], np.uint8),
        at=np.array([e["at"] for e in ordered], np.int64),
        utc_offset=np.array([e.get("utc_offset", NO_OFFSET) for e in ordered], np.int16),
        id_hash=np.array([crc32(e["id"].encode()) for e in ordered], np.uint32),
        position=np.arange(len(ordered), dtype=np.int64),
        user=[e["user"] for e in ordered],
        event_id=[e["id"] for e in ordered],
        numbers={
            name: np.array([e.get(name, MISSING) for e in ordered], np.int64)
            for name in NUMBER_COLUMNS
        },
        strings={name: _strings([e.get(name) for e in ordered]) for name in STRING_COLUMNS},
        lines=_lines(lines),
    )


def _lines(lines: Sequence[tuple[int, Event]]) -> Lines:
    return Lines(
        event=np.array([i for i, _ in lines], np.int32),
        item_id=_strings([line.get("item_id") for _, line in lines]),
        item_category=_strings([line.get("item_category") for _, line in lines]),
        price=np.array([line.get("price", MISSING) for _, line in lines], np.int64),
        quantity=np.array([line.get("quantity", MISSING) for _, line in lines], np.int64),
    )


def _strings(texts: list[str | None]) -> Strings:
    return TextCodes().column(texts, len(texts))
