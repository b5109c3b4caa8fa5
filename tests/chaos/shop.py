"""The shop of a run: its catalogue, its settings, and what it is fed, by what the run is like."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from support.traffic import CATALOGUE, Traffic

from chaos.leaving import Leaving
from chaos.lives import DAY_MS
from stream_app.kafka.topics import TopicPlan

LEARNING = """
learning:
  max_gap: 3d
  predictions:
    orders_soon:
      description: Will order within two days.
      features: [views_6h, carts_24h, orders_7d, spend_7d, hours_since_cart]
      outcome: orders_2d > 0
      horizon: 2d
      rate: 1
      bands: {mid: 0.3, high: 0.6, top: 0.9, margin: 0.05}
  segments: {features: [views_6h, orders_7d, spend_7d], rate: 1, k: [2, 4]}
"""
FEATURE = "features:\n  orders_2d: {count: purchase, window: 2d}\n"
SETTINGS: Mapping[str, object] = {
    "clock": "event",
    "session_timeout_s": 6,
    "drain_timeout_s": 5,
    "round_records": 200,
    "retention_days": 36_500,
    # The checker reads what was routed.
    "routed_purge_s": 0,
}
USERS, STEP_MS = 300, 60_000
#: Where users are forgotten: after so many days, which no window may look beyond.
IDLE_DAYS = 3
#: Where events are of the present, and users are forgotten: the first ones are of the time before
#: it, and have to be there before workers are, for whom it is the present from then on.
PAST, PAST_STEP_MS = 4_000, 5 * STEP_MS


def catalogue_of(*, learning: bool = False, forgetting: bool = False) -> str:
    """The catalogue as text."""
    text = CATALOGUE
    if learning:
        text = text.replace("features:\n", FEATURE) + LEARNING
    if forgetting:
        for window in ("7d", "30d"):
            text = text.replace(f"window: {window}", f"window: {IDLE_DAYS}d")
        text = text.replace("clock: event", f"clock: event, idle_retention: {IDLE_DAYS}d")
    return text


def traffic_of(seed: int, live_rate: float = 0.0, *, forgetting: bool = False) -> Traffic:
    """What a run is fed: few users who come often, a day of theirs in a few seconds.

    With a `live_rate` (events a second) events are of the time at which they are sent. Where users
    are forgotten, half of them leave for as long as that takes; with a `live_rate` the first PAST
    events are of the time before.
    """
    step, start = STEP_MS, Traffic.start
    if live_rate:
        step, start = int(1000 / live_rate), time.time_ns() // 1_000_000
    if not forgetting:
        return Traffic(seed, USERS, step_ms=step, start=start)
    past = PAST if live_rate else 0
    return Leaving(
        seed,
        USERS,
        step_ms=step,
        start=start,
        idle_ms=IDLE_DAYS * DAY_MS,
        past=past,
        past_step_ms=PAST_STEP_MS,
    )


def settings_of(plan: TopicPlan, catalogue: Path) -> dict[str, object]:
    topics = {"training_topic": plan.training, "models_topic": plan.models} if plan.training else {}
    copies = {"replication": plan.replication, "min_insync_replicas": plan.min_isr}
    return {**SETTINGS, **topics, **copies, "catalog": catalogue}
