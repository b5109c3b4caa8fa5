"""Whether an input still has what comes next: a gap is refused, never jumped over."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from faust.types import TP

from stream_app.domain.batch import TOPICS
from stream_app.kafka.errors import Refusal

log = logging.getLogger(__name__)


def first_offsets(
    tps: Sequence[TP],
    known: Mapping[str, int] | None,
    bounds: Mapping[TP, tuple[int, int]],
    *,
    names: Sequence[str] = TOPICS,
    accept_gaps: bool = False,
) -> list[int]:
    """Return where to start reading the inputs `tps`, which `\\0meta` calls by `names`.

    `known` are the next offsets of `\\0meta`, None where nothing was committed yet: then reading
    starts at the first record kept, as that of an input that is not known there. `bounds` are first
    and last stable offsets. Where retention deleted what was next, raises Refusal, or with
    `accept_gaps` starts at the first record kept.
    """
    if known is None:
        return [bounds[tp][0] for tp in tps]
    return [
        check_bounds(tp, known.get(name, bounds[tp][0]), *bounds[tp], accept_gaps=accept_gaps)
        for tp, name in zip(tps, names, strict=True)
    ]


def check_bounds(tp: TP, following: int, first: int, end: int, *, accept_gaps: bool = False) -> int:
    """Return where to go on: `following`, which must lie from `first` to `end`, else Refusal.

    With `accept_gaps` events that retention deleted are logged as lost and passed over.
    """
    where = f"{tp.topic} partition {tp.partition}"
    if following < first and accept_gaps:
        log.warning(
            "%s: a gap is accepted: the %d offsets from %d to %d are lost, going on at %d",
            where, first - following, following, first - 1, first,
            extra={"topic": tp.topic, "partition": tp.partition, "offset": following},
        )  # fmt: skip
        return first
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
    return following
