"""A seeded shop whose events are known beforehand: what is counted, what is sent twice, refused."""

from __future__ import annotations

import json
import random
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

CATALOGUE = """
shop: {timezone: Europe/Berlin, clock: event}
features:
  events_total: {count: any, window: all}
  spend_total: {sum: purchase.value, window: all}
  views_6h: {count: view_item, window: 6h}
  carts_24h: {count: add_to_cart, window: 24h}
  orders_7d: {count: purchase, window: 7d}
  spend_7d: {sum: purchase.value, window: 7d}
  price_7d: {mean: view_item.price, window: 7d}
  largest: {max: purchase.value, window: 30d}
  categories_30d: {distinct: view_item.item_category, window: 30d}
  hours_since_cart: {hours_since: add_to_cart}
  tenure_days: {tenure: days}
  active_days_7d: {active_days: any, window: 7d}
  sessions_7d: {sessions: clicks, window: 7d}
  night_share: {share: any, where: night, window: all}
  interests: {top: [view_item, add_to_cart], of: item_category, half_life: 3d}
  device: {last: device}
  usual_device: {usual: device}
  basket_value: {ratio: [spend_7d, orders_7d]}
tags:
  looker: {class: behaviour, description: Looks at many items., when: views_6h >= 3}
  carts: {class: behaviour, description: Has a cart., when: carts_24h >= 1 and orders_7d == 0}
  left_cart:
    class: behaviour
    description: Left a cart two hours ago.
    when: hours_since_cart >= 2 and hours_since_cart < 20
  level:
    class: spending
    description: How much was spent.
    values: {high: spend_7d >= 120, mid: spend_7d >= 40, low: spend_7d > 0}
  mobile: {class: basic, description: Came with a phone., when: device == 'mobile'}
  night_owl: {class: behaviour, description: Comes at night., when: night_share > 0.4}
  old_hand: {class: lifecycle, description: Is here since long., when: tenure_days >= 3}
  spender:
    class: spending
    description: Keeps spending.
    when: spend_7d > 60
    until: spend_7d < 20
    hold: 6h
  welcome: {class: lifecycle, description: Is new., when: events_total >= 1, expires: 1d}
  interest: {class: interest, description: Likes most., list: interests, top: 2, hold: 1h}
"""
#: Tags without `hold`, `until`, `expires` and top: the features at the end alone decide them.
PLAIN_TAGS = ("looker", "carts", "left_cart", "level", "mobile", "night_owl", "old_hand")

START = 1_700_000_000_000
#: Event time from one event to the next; 40,000 events are about a week.
STEP_MS = 15_000
CATEGORIES = ("shoes", "hats", "tea", "soap", "ink", "rope", "jam", "nuts")
CLICKS = ("view_item", "view_item", "page_view", "add_to_cart", "search")
TOPICS = ("clicks", "purchases")


@dataclass(frozen=True)
class Made:
    """An event as it is sent: `topic` is its index in TOPICS, `at` event time in ms."""

    topic: int
    user: str
    at: int
    value: bytes
    refused: bool = False


@dataclass
class Truth:
    """What an exact count says of a user, worked out beside the program."""

    events: int = 0
    cents: int = 0


@dataclass
class Traffic:
    """An endless stream that depends on `seed` alone, however it is cut into portions.

    Of a hundred events about three are late, two are sent twice and one is refused.
    """

    seed: int
    users: int = 1_500
    step_ms: int = STEP_MS
    start: int = START
    truth: dict[str, Truth] = field(default_factory=dict)
    made: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._recent: deque[Made] = deque(maxlen=20)
        self._number = 0

    def take(self, n: int) -> list[Made]:
        return [self._next() for _ in range(n)]

    def _next(self) -> Made:
        draw = self._random.random()
        if draw < 0.02 and self._recent:
            self.made["twice"] += 1
            return self._random.choice(self._recent)
        self._number += 1
        user, at = f"user-{self._who()}", self._when()
        if draw > 0.97:
            at -= self._random.randrange(8 * 3_600_000)
        if draw > 0.99:
            self.made["refused"] += 1
            return self._broken(user, at)
        made = self._purchase(user, at) if self._random.random() < 0.15 else self._click(user, at)
        self._recent.append(made)
        return made

    def _who(self) -> int:
        """Whose the next event is; some come much more often than others."""
        return int(self.users * self._random.random() ** 2)

    def _when(self) -> int:
        return self.start + self._number * self.step_ms

    def _event(self, kind: str, user: str, at: int, **fields: Any) -> bytes:
        event = {"event_id": f"e-{self._number}", "type": kind, "user_id": user, "occurred_at": at}
        return json.dumps(event | fields).encode()

    def _click(self, user: str, at: int) -> Made:
        self.truth.setdefault(user, Truth()).events += 1
        value = self._event(
            self._random.choice(CLICKS),
            user,
            at,
            item_category=self._random.choice(CATEGORIES),
            price=self._random.randrange(100, 9_000) / 100,
            currency="USD",
            device=self._random.choice(("mobile", "desktop", "tablet")),
        )
        return Made(0, user, at, value)

    def _purchase(self, user: str, at: int) -> Made:
        cents = self._random.randrange(100, 9_000)
        truth = self.truth.setdefault(user, Truth())
        truth.events += 1
        truth.cents += cents
        value = self._event("purchase", user, at, value=cents / 100, currency="USD")
        return Made(1, user, at, value)

    def _broken(self, user: str, at: int) -> Made:
        topic = self._random.randrange(2)
        values = (
            b'{"event_id": "cut',
            self._event("teleport", user, at),
            self._event(("purchase", "search")[topic], user, at),
            self._event("purchase", user, at, value=1, currency="XXX"),
        )
        return Made(topic, user, at, self._random.choice(values), refused=True)
