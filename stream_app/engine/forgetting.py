"""Users whose time is over: what is said of them, and what becomes of their rows."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.batch import EventBatch
from stream_app.domain.because import Because
from stream_app.domain.layout import Rows
from stream_app.engine.outputs import Chain, Keyed, Outputs
from stream_app.engine.profiles import Profiles
from stream_app.engine.retention import Retention
from stream_app.tagging.decision import decision

Slots = NDArray[np.intp]

_HOUR_MS: Final = 3_600_000


class Left(NamedTuple):
    """The rows that stay (m,), which of them each event (n,) is of, and what is published."""

    slots: Slots
    rows: Rows
    row_of: Slots
    outputs: Outputs


def forget(
    profiles: Profiles,
    retention: Retention,
    slots: Slots,
    rows: Rows,
    index: Slots,
    batch: EventBatch,
    emitted_at: int,
) -> Left:
    """Forget those of `slots` (m,) whose time is over, before the events (n,) are folded.

    `rows` (m,) are their working copies, `index` (n,) the row of each event. Time alone ends rows
    without events, and they leave the profiles. Rows with events that come too long after the ones
    before are blank afterwards.
    """
    if retention.lasting(rows, profiles.time).all():
        return Left(slots, rows, index, Outputs())
    quiet = np.ones(len(rows), np.bool_)
    quiet[index] = False
    gone = quiet & retention.over(rows, profiles.time)
    over = gone | retention.ended(rows, index, batch)
    if not over.any():
        return Left(slots, rows, index, Outputs())
    outputs = _farewell(profiles, retention, slots[over], rows[over], emitted_at)
    if gone.any():
        profiles.forget(slots[gone])
    rows[over] = profiles.program.layout.blank()
    stay = ~gone
    return Left(slots[stay], rows[stay], (stay.cumsum() - 1)[index], outputs)


def _farewell(
    profiles: Profiles, retention: Retention, slots: Slots, rows: Rows, emitted_at: int
) -> Outputs:
    """What is said of users (k,) who are forgotten: each tag is removed, and both states go."""
    users, now = profiles.names(slots), profiles.time
    chain = Chain(users, rows, {}, now, emitted_at)
    program = profiles.program
    tags = program.catalogue.tags.declarations
    places = {name: place for place, name in enumerate(tags)}
    idle = ((now - rows["last_seen"]) / _HOUR_MS).tolist()
    changes = []
    for i, state in enumerate(program.tags.states(rows, profiles.dictionary.values)):
        because = [Because("hours_since_event", idle[i], ">=", retention.idle_ms / _HOUR_MS)]
        for name, status in state.items():
            ended = decision(
                tags[name], places[name], i, None, status["value"], "expiry", because, now
            )
            changes.append(chain.follow(ended))
    # Who never had a tag has no state.
    told = np.flatnonzero(rows["version"] > 0).tolist()
    states: list[Keyed] = [(users[i].encode(), None) for i in told]
    return Outputs(changes, states, gone=users, forgotten=len(users))
