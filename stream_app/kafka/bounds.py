"""Whether an input still has what comes next: a gap is refused, never jumped over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from faust.types import TP

from stream_app.domain.batch import TOPICS
from stream_app.kafka.errors import Refusal


def first_offsets(
    tps: Sequence[TP], known: Mapping[str, int] | None, bounds: Mapping[TP, tuple[int, int]]
) -> list[int]:
    """Return where to start reading clicks and purchases (`tps`).

    `known` are the next offsets of `\\0meta`, None where nothing was committed yet: then reading
    starts at the first record kept. `bounds` are first and last stable offsets. Raises Refusal.
    """
    if known is None:
        return [bounds[tp][0] for tp in tps]
    for tp, name in zip(tps, TOPICS, strict=True):
        check_bounds(tp, known[name], *bounds[tp])
    return [known[name] for name in TOPICS]


def check_bounds(tp: TP, following: int, first: int, end: int) -> None:
    """Raise Refusal unless `first <= following <= end`; spells out the choices."""
    where = f"{tp.topic} partition {tp.partition}"
    if following < first:
        raise Refusal(
            f"{where}: the next event is offset {following}, but the topic now begins at {first}: "
            f"its retention deleted {first - following} events unread. Choose: bring the topic "
            "back from a backup; or accept the loss and set STREAM_APP_ACCEPT_GAPS=true for one "
            "start, which counts the lost offsets in the log and goes on at the first event kept"
        )
    if following > end:
        raise Refusal(
            f"{where}: the next event is offset {following}, but the topic ends at {end}: it was "
            "deleted and made anew, or cut. Choose: bring the topic back from a backup; or start "
            "a new application with another STREAM_APP_APP_ID, which reads it from its beginning"
        )
