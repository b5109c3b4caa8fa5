"""A shop of few users whose purchases can be foreseen, and a catalogue that learns from them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np

DAY = 86_400_000
START = 20_000 * DAY
CATALOGUE = """
features:
  orders_2d: {count: purchase, window: 2d}
  orders_9d: {count: purchase, window: 9d}
  spend_9d: {sum: purchase.value, window: 9d}
  hours_since_order: {hours_since: purchase}
  views_2d: {count: view_item, window: 2d}
tags:
  buyer: {class: spending, description: Bought, when: orders_2d >= 1}
learning:
  predictions:
    orders_soon:
      description: Will order within two days.
      features: [orders_2d, orders_9d, spend_9d, hours_since_order]
      outcome: orders_2d > 0
      horizon: 2d
      rate: 0.5
      bands: {mid: 0.2, high: 0.4, top: 0.6, margin: 0.02}
    looks_soon:
      features: [orders_9d, views_2d]
      outcome: views_2d > 0
      horizon: 2d
      rate: 0.2
      top: 0.2
  segments:
    features: [orders_9d, spend_9d]
    k: [3, 4]
    rate: 1.0
"""


def events(days: int = 16, users: int = 330, seed: int = 0) -> Iterator[bytes]:
    """Lines of NDJSON in order of time: some users buy often, most seldom, and some look."""
    random = np.random.default_rng(seed)
    often = random.choice([0.05, 0.15, 0.7], size=users, p=[0.5, 0.3, 0.2])
    dear = random.choice([5.0, 40.0, 300.0], size=users)
    for day in range(days):
        found = []
        for user in np.flatnonzero(random.random(users) < often).tolist():
            value = round(float(dear[user] * random.uniform(0.5, 1.5)), 2)
            found.append((int(random.integers(DAY)), user, "purchase", {"value": value}))
        for user in np.flatnonzero(random.random(users) < 0.2).tolist():
            found.append((int(random.integers(DAY)), user, "view_item", {}))
        for at, user, kind, more in sorted(found, key=lambda one: one[:2]):
            paid = more | {"currency": "USD"} if more else {}
            event = {
                "event_id": f"{kind}-{day}-{user}",
                "type": kind,
                "user_id": f"u{user:03}",
                "occurred_at": START + day * DAY + at,
            }
            yield json.dumps(event | paid).encode()
