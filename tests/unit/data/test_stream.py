"""The stream of messages: what it promises about order, seeds, selections and the future."""

from __future__ import annotations

import itertools
import json
from collections import Counter, defaultdict
from datetime import date
from types import SimpleNamespace

import numpy as np
import pytest
from support.small_shop import small_shop, tables, without_purchases

from stream_app.data import Selection, make_shop, messages
from stream_app.data import sessions as draw
from stream_app.data.clock import day_start_ms
from stream_app.data.stream import DEFAULT_SEED
from stream_app.data.taste import draw_tastes
from stream_app.domain.batch import CLICK_TYPES
from stream_app.domain.clock import from_rfc3339
from stream_app.domain.decode import DecodeOptions, Decoder


@pytest.fixture(scope="module")
def shop():
    return small_shop()


@pytest.fixture(scope="module")
def stream(shop):
    return list(messages(shop, Selection()))


def sessions(stream):
    """Session id → its events, parsed, in order."""
    found = defaultdict(list)
    for message in stream:
        if message.topic == "clicks":
            event = json.loads(message.value)
            found[event["session_id"]].append(event)
    return found


def buying_sessions(shop):
    """Ids of the sessions that a basket follows."""
    tastes = draw_tastes(DEFAULT_SEED, shop.households)
    everyone = np.ones(len(shop.households), bool)
    keys = [draw.buying(day, shop, tastes, everyone).key for day in range(shop.days)]
    return {f"{key:016x}" for key in np.concatenate(keys).tolist()}


def browsing_of(shop_tables, until_day):
    """Events of sessions without a basket up to a day, found by leaving out those with one."""
    shop = make_shop(shop_tables)
    before = {m.value for m in messages(shop, Selection()) if m.at < day_start_ms(until_day)}
    buying = buying_sessions(shop)
    clicks = (value for value in before if b'"session_id"' in value)
    return {value for value in clicks if json.loads(value)["session_id"] not in buying}


def test_every_message_is_an_event_the_worker_accepts(stream):
    topics = {"clicks": [], "purchases": []}
    for offset, m in enumerate(stream):
        topics[m.topic].append(SimpleNamespace(value=m.value, timestamp=m.at, offset=offset))
    decoded = Decoder(DecodeOptions()).decode(list(topics.values()))
    assert decoded.rejected == []
    assert len(decoded.batch) == len(stream)


def test_messages_carry_their_own_user_and_time(stream):
    for message in stream[::97]:
        event = json.loads(message.value)
        assert message.key == event["user_id"].encode()
        assert message.at == from_rfc3339(event["occurred_at"])


def test_messages_come_by_event_time(stream):
    times = [message.at for message in stream]
    assert times == sorted(times)


def test_event_ids_are_unique(stream):
    ids = Counter(json.loads(message.value)["event_id"] for message in stream)
    assert max(ids.values()) == 1


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(stream, shop):
    assert list(messages(make_shop(tables()), Selection())) == stream
    other = list(messages(shop, Selection(seed=2)))
    assert {m.value for m in other if m.topic == "purchases"} == {
        m.value for m in stream if m.topic == "purchases"
    }
    assert not {m.value for m in other if m.topic == "clicks"} & {m.value for m in stream}


def test_a_household_does_the_same_in_every_selection(stream, shop):
    few = list(messages(shop, Selection(households=7)))
    users = {message.key for message in few}
    assert len(users) == 7
    assert few == [message for message in stream if message.key in users]


def test_a_span_is_a_part_of_the_whole(stream, shop):
    span = list(messages(shop, Selection(start=date(2017, 2, 1), end=date(2017, 2, 15))))
    first, end = day_start_ms(31), day_start_ms(45)
    assert span == [message for message in stream if first <= message.at < end]


def test_sessions_without_a_basket_know_nothing_of_the_future():
    whole = tables()
    cut = without_purchases(whole, lambda day: day > 45)
    known = browsing_of(whole, 46)
    assert browsing_of(cut, 46) == known
    assert len(known) > 1000


def test_sessions_without_a_basket_know_nothing_of_their_own_day():
    # The last day stays, so that the data, and with it the simulation, ends on the same day.
    cut = without_purchases(tables(), lambda day: (day >= 45) & (day < 89))
    assert browsing_of(cut, 46) == browsing_of(tables(), 46)


def test_nine_sessions_in_ten_end_without_a_basket(stream, shop):
    purchases = [json.loads(m.value) for m in stream if m.topic == "purchases"]
    assert 0.3 * len(purchases) < len(buying_sessions(shop)) <= 0.1 * len(sessions(stream))


def test_sessions_stay_together_within_half_an_hour_between_events(stream):
    for events in sessions(stream).values():
        times = [from_rfc3339(event["occurred_at"]) for event in events]
        assert all(0 < b - a < 30 * 60_000 for a, b in itertools.pairwise(times))
        assert len({event["user_id"] for event in events}) == 1


def test_the_first_event_of_a_session_says_where_it_came_from(stream):
    for events in sessions(stream).values():
        whole = [event for event in events if event["event_id"].endswith("-0")]
        assert all({"channel", "country", "region", "city"} <= event.keys() for event in whole)
        assert not any("channel" in event for event in events if event not in whole)


def test_every_type_of_click_occurs(stream):
    types = {json.loads(message.value)["type"] for message in stream}
    assert types == {*CLICK_TYPES, "purchase"}


def test_nothing_is_clicked_before_signing_up(stream):
    signed: dict[str, int] = {}
    for message in stream:
        event = json.loads(message.value)
        if event["type"] == "sign_up":
            assert event["user_id"] not in signed
            signed[event["user_id"]] = message.at
    assert signed
    for message in stream:
        event = json.loads(message.value)
        if message.topic == "clicks" and event["event_id"].endswith("-0"):
            assert message.at >= signed.get(event["user_id"], 0) - 600_000


def test_users_keep_their_tastes(stream):
    devices = defaultdict(Counter)
    for events in sessions(stream).values():
        devices[events[0]["user_id"]][events[0]["device"]] += 1
    often = [counts for counts in devices.values() if counts.total() >= 50]
    shares = [max(counts.values()) / counts.total() for counts in often]
    assert min(shares) > 0.6
    assert len({counts.most_common(1)[0][0] for counts in often}) > 1


def test_promotions_are_campaigns_where_there_is_one(stream):
    shown = defaultdict(set)
    for message in stream:
        event = json.loads(message.value)
        if "promotion_id" in event:
            shown[event["user_id"]].add(event["promotion_id"])
    assert {user for user, ids in shown.items() if "campaign-7" in ids} <= {"h0010", "h0011"}
    assert any("campaign-7" in ids for ids in shown.values())
    assert all(id.startswith("weekly-") for id in shown["h0009"])


def test_purchases_alone(shop, stream):
    assert list(messages(shop, Selection(clicks=False))) == [
        message for message in stream if message.topic == "purchases"
    ]
