"""Made-up streams of two topics: the events, how rounds cut them, and when somebody looks."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from random import Random
from typing import Any, NamedTuple

from hypothesis import strategies as st

START = 1_486_900_000_000  # 2017-02-12, a Sunday
SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
TOPICS = ("clicks", "purchases")

CURRENCIES = ("USD", "EUR", "JPY")
CATEGORIES = ("shoes", "hats", "tea", "soap", "ink", "rope", "jam", "nuts", "beer", "soup", "salt")
CITIES = ("Köln", "東京", "Lima", "Oslo", "")
CLICKS = ("view_item", "add_to_cart", "page_view", "search", "share", "begin_checkout", "login")


class Record(NamedTuple):
    """A Kafka record as far as decoding looks at it."""

    value: bytes
    timestamp: int
    offset: int


@dataclass(frozen=True)
class Stream:
    """Events as (topic, event) in the order of arrival, and for each the round that takes it.

    Rounds rise within a topic; the topics may be rounds apart. `look_ms` is how long after the
    last event time the features are looked at.
    """

    events: list[tuple[str, dict[str, Any]]]
    rounds: list[int]
    look_ms: int

    def batches(self) -> Iterator[list[list[Record]]]:
        """Records of each round: clicks, purchases."""
        offsets = dict.fromkeys(TOPICS, 0)
        taken: dict[int, list[list[Record]]] = {}
        for (topic, event), number in zip(self.events, self.rounds, strict=True):
            record = Record(encode(event), moment(event), offsets[topic])
            offsets[topic] += 1
            taken.setdefault(number, [[], []])[TOPICS.index(topic)].append(record)
        for number in sorted(taken):
            yield taken[number]

    def merged(self) -> Stream:
        """The same events in one round."""
        return Stream(self.events, [0] * len(self.events), self.look_ms)


def encode(event: dict[str, Any]) -> bytes:
    """JSON with amounts as they were drawn."""
    return json.dumps(event, ensure_ascii=False).encode()


def moment(event: dict[str, Any]) -> int:
    """Event time in epoch milliseconds."""
    when = event["occurred_at"]
    if isinstance(when, int):
        return when
    return (datetime.fromisoformat(when) - datetime(1970, 1, 1, tzinfo=UTC)) // _MILLISECOND


_MILLISECOND = timedelta(milliseconds=1)
_GAPS = st.one_of(
    st.sampled_from([0, 0, 1, SECOND, 29 * MINUTE, 30 * MINUTE, 31 * MINUTE, HOUR, DAY, 3 * DAY]),
    st.integers(0, 2 * HOUR),
    st.integers(0, 4 * DAY),
    st.integers(0, 40 * DAY),
)
_LATENESS = st.sampled_from([0] * 12 + [1, 40 * MINUTE, 5 * HOUR, 30 * HOUR, 9 * DAY, 95 * DAY])
_LOOKS = st.one_of(
    st.sampled_from([0, 1, HOUR, 23 * HOUR, 24 * HOUR, 6 * DAY, 7 * DAY, 31 * DAY, 91 * DAY]),
    st.integers(0, 100 * DAY),
)
_CENTS = st.integers(0, 20_000).map(lambda cents: cents / 100)
_AMOUNTS = st.one_of(_CENTS, st.sampled_from([0.005, 0.015, 2.675, 1.005, 12, 999_999.99]))


def _maybe(fields: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


_ITEM = {
    "item_id": st.sampled_from(["i1", "i2", "i3"]),
    "item_category": st.sampled_from(CATEGORIES),
    "price": _AMOUNTS,
    "quantity": st.integers(0, 4),
}
_CLICK_FIELDS = _maybe(
    _ITEM
    | {
        "device": st.sampled_from(["mobile", "desktop", "tablet"]),
        "channel": st.sampled_from(["email", "social", "referral", "direct"]),
        "city": st.sampled_from(CITIES),
    }
)
_PURCHASE_FIELDS = _maybe(
    {
        "discount": _AMOUNTS,
        "coupon": st.sampled_from(["A", "B", "C", ""]),
        "transaction_id": st.sampled_from(["1", "2", "3", ""]),
        "channel": st.sampled_from(["store", "email"]),
        "items": st.lists(_maybe(_ITEM), max_size=4),
    }
)


@st.composite
def _fields(draw: st.DrawFn, purchases: bool, currencies: Sequence[str]) -> dict[str, Any]:
    """A type and what an event of it carries."""
    currency = draw(st.sampled_from(currencies))
    if purchases:
        kind = draw(st.sampled_from(["purchase", "purchase", "purchase", "refund"]))
        fields = draw(_PURCHASE_FIELDS) | {"value": draw(_AMOUNTS), "currency": currency}
        return {"type": kind} | fields
    fields = draw(_CLICK_FIELDS)
    if "price" in fields:
        fields["currency"] = currency
    return {"type": draw(st.sampled_from(CLICKS))} | fields


def _written(at: int, style: int | None) -> int | str:
    """A moment as milliseconds (None) or as RFC 3339 at an offset of `style` minutes."""
    if style is None:
        return at
    place = timezone(timedelta(minutes=style))
    there = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at)
    return there.astimezone(place).isoformat(timespec="milliseconds")


@st.composite
def streams(draw: st.DrawFn, currencies: Sequence[str], most: int = 40) -> Stream:
    """Up to `most` events of a few users over up to a hundred days, some late, some twice."""
    clock = START
    events: list[tuple[str, dict[str, Any]]] = []
    rounds: list[int] = []
    users = draw(st.sampled_from([["ann"], ["ann", "bob", "ẑoë"]]))
    lead, number = draw(st.integers(0, 2)), 0
    for i in range(draw(st.integers(1, most))):
        number += draw(st.sampled_from([0, 0, 0, 1]))
        purchases = draw(st.integers(0, 2)) == 0
        topic = TOPICS[purchases]
        earlier = [event for of, event in events if of == topic]
        if earlier and draw(st.integers(0, 9)) == 0:
            event = draw(st.sampled_from(earlier[-3:]))
        else:
            clock = min(clock + draw(_GAPS), START + 100 * DAY)
            style = draw(st.sampled_from([None, 0, 540, -480]))
            event = {
                "event_id": f"{topic}-{i}",
                "user_id": draw(st.sampled_from(users)),
                "occurred_at": _written(clock - draw(_LATENESS), style),
            } | draw(_fields(purchases, currencies))
            if event["type"] == "refund":
                _pay_back(event, earlier, draw(st.integers(0, 7)))
        events.append((topic, event))
        rounds.append(number + lead * purchases)
    return Stream(events, rounds, draw(_LOOKS))


def long_life(random: Random, length: int) -> Stream:
    """`length` events of one user over some months, cut at random; nothing to shrink, but fast."""
    clock = START + random.randrange(DAY)
    events: list[tuple[str, dict[str, Any]]] = []
    rounds: list[int] = []
    for i in range(length):
        pause = random.choice([SECOND, MINUTE, 30 * MINUTE, HOUR, 12 * HOUR, 2 * DAY])
        clock += pause if random.random() < 0.3 else random.randrange(2 * pause)
        late = random.choice([HOUR, DAY, 10 * DAY, 80 * DAY]) if random.random() < 0.1 else 0
        event = {"event_id": f"e{i}", "user_id": "ann", "occurred_at": clock - late}
        purchases = random.random() < 0.3
        event |= (
            _purchase(random) | {"transaction_id": f"t{i % 3}"} if purchases else _click(random)
        )
        if event["type"] == "refund":
            _pay_back(event, [earlier for _, earlier in events], i % 8)
        events.append((TOPICS[purchases], event))
        rounds.append(rounds[-1] + (random.random() < 0.2) if rounds else 0)
    return Stream(events, rounds, 0)


def _pay_back(refund: dict[str, Any], earlier: list[dict[str, Any]], which: int) -> None:
    """Make it a full refund of one of the user's six latest orders; of none if there are fewer."""
    own = [event for event in earlier if event["user_id"] == refund["user_id"]]
    orders = [event for event in own if event["type"] == "purchase"]
    if which < min(len(orders), 6):
        order = orders[-1 - which]
        taken = ("value", "currency", "transaction_id")
        refund |= {name: order[name] for name in taken if name in order}


def _item(random: Random) -> dict[str, Any]:
    return {
        "item_id": f"i{random.randrange(30)}",
        "item_category": random.choice(CATEGORIES),
        "price": random.randrange(20_000) / 100,
        "quantity": random.randrange(5),
    }


def _click(random: Random) -> dict[str, Any]:
    device, channel = random.choice(["mobile", "desktop"]), random.choice(["email", "social", "ad"])
    place = {"device": device, "channel": channel, "city": random.choice(CITIES)}
    kept = {key: value for key, value in place.items() if random.random() < 0.7}
    return {"type": random.choice(CLICKS), "currency": "USD"} | _item(random) | kept


def _purchase(random: Random) -> dict[str, Any]:
    kind = "refund" if random.random() < 0.2 else "purchase"
    items = [_item(random) for _ in range(random.randrange(4))]
    amounts = {"value": random.randrange(20_000) / 100, "discount": random.randrange(500) / 100}
    return {"type": kind, "currency": "USD", "items": items} | amounts
