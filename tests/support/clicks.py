"""A catalogue of a few lines, events for it, and where their users' events belong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count
from typing import Any, NamedTuple

from stream_app.domain.partitioner import PARTITIONERS

HOUR = 3_600_000
DAY = 24 * HOUR
#: Noon of a Wednesday, UTC.
START = 1_486_555_200_000

CATALOGUE = """
shop: {currency: USD, rates: {EUR: 1.1}, clock: event}
features:
  clicks_24h: {count: clicks, window: 24h}
  spend_30d: {sum: purchase.value, window: 30d}
  price_7d: {mean: view_item.price, window: 7d}
  interests: {top: view_item, of: item_category, half_life: 14d}
tags:
  visitor: {class: basic, description: Came, when: clicks_24h >= 1}
  regular: {class: behaviour, description: Comes often, when: clicks_24h >= 3}
  spender: {class: spending, description: Spends, when: spend_30d > 100}
  likes: {class: interest, description: Likes, list: interests, top: 3, min_share: 0.2}
"""


class Rec(NamedTuple):
    """A record as a consumer delivers it."""

    value: bytes | None
    offset: int = 0
    timestamp: int = START
    key: bytes | None = None
    topic: str = "clicks"
    partition: int = 0


def click(user: str, number: int, at: int = START, **fields: Any) -> bytes:
    """A click of the event id `c<number>`: a page view unless `fields` say otherwise."""
    event = {"event_id": f"c{number}", "type": "page_view", "user_id": user, "occurred_at": at}
    return json.dumps(event | fields, ensure_ascii=False).encode()


def purchase(user: str, number: int, value: Any = 20, at: int = START, **fields: Any) -> bytes:
    """A purchase of the event id `p<number>`."""
    event = {"event_id": f"p{number}", "type": "purchase", "user_id": user, "occurred_at": at}
    return json.dumps(event | {"value": value, "currency": "USD"} | fields).encode()


def users_on(partition: int, partitions: int = 4, prefix: str = "user") -> Iterator[str]:
    """Users whose events belong on `partition`."""
    place = PARTITIONERS["murmur2"]
    names = (f"{prefix}-{n}" for n in count())
    return (name for name in names if place(name.encode(), partitions) == partition)
