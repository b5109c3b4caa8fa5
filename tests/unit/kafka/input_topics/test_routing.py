"""Events on other partitions than their users': each is folded once, and as if placed well."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any

from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st
from support.clicks import START, Rec, click, purchase, users_on
from support.partition import program
from support.routes import Routes

from stream_app.domain.errors import Misplaced
from stream_app.domain.partitioner import PARTITIONERS
from stream_app.engine import Profiles, step
from stream_app.kafka.input_topics.inputs import inputs_of
from stream_app.kafka.input_topics.queue import Taken
from stream_app.kafka.input_topics.routing import gather, outgoing, source

#: Without what reads one event after the other: sessions, shares, what is usual.
ANY_ORDER = """
shop: {currency: USD, clock: event}
features:
  events: {count: any, window: all}
  clicks_6h: {count: clicks, window: 6h}
  spent: {sum: purchase.value, window: all}
  spend_7d: {sum: purchase.value, window: 7d}
  largest: {max: purchase.value, window: 30d}
  price_7d: {mean: view_item.price, window: 7d}
  kinds: {distinct: view_item.item_category, window: 30d}
  device: {last: device}
  active: {active_days: any, window: 7d}
  since_cart: {hours_since: add_to_cart}
  tenure: {tenure: days}
tags: {}
"""
SESSIONS = "features: {sessions_7d: {sessions: clicks, window: 7d}}\ntags: {}\n"
TASKS = 3
USERS = ("ann", "bob", "cem", "dan", "ẑoë")
HOUR = 3_600_000
#: A task, the most records that it takes of an input, and whether it dies before the commit.
ROUNDS = st.tuples(st.integers(0, TASKS - 1), st.integers(1, 9), st.booleans())

Event = tuple[int, str, int, bytes]  # topic, user, time (ms), value


@st.composite
def events(draw: st.DrawFn) -> list[Event]:
    """Events at distinct times, some late."""
    made: list[Event] = []
    times = draw(st.lists(st.integers(0, 20 * 24 * HOUR), min_size=1, max_size=25, unique=True))
    for number, at in enumerate(times):
        user, topic = draw(st.sampled_from(USERS)), draw(st.integers(0, 1))
        fields: dict[str, Any] = {"device": draw(st.sampled_from(["mobile", "desktop"]))}
        fields |= {"type": "view_item", "item_category": draw(st.sampled_from("abc")), "price": 3}
        value = (
            purchase(user, number, draw(st.integers(1, 90)), START + at)
            if topic
            else click(user, number, START + at, **fields, currency="USD")
        )
        made.append((topic, user, START + at, value))
    return made


def read(parts: list[Profiles], at: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in parts:
        for user, values in part.read_all(at):
            assert user not in found, "a user has two profiles"
            found[user] = values
    return found


def well_placed(text: str, made: list[Event], at: int) -> dict[str, Any]:
    profiles = Profiles(program(text))
    for topic in range(2):
        log = [Rec(value, i, when) for i, (of, _, when, value) in enumerate(made) if of == topic]
        step(profiles, [[], log] if topic else [log, []])
    return read([profiles], at)


def counted(routes: Routes, name: str) -> float:
    """A counter of committed rounds, of both topics."""
    found = routes.metrics.registry.get_sample_value
    topics = [{"topic": topic} for topic in ("clicks", "purchases")]
    return sum(found(f"stream_app_{name}_total", labels) or 0 for labels in topics)


def sources(routes: Routes) -> Counter[tuple[str, int, int]]:
    """The producers' records that were routed, by where they lie."""
    routed = routes.settings.routed_topic
    found = [source(r) for tp, log in routes.logs.items() if tp.topic == routed for r in log]
    assert None not in found
    return Counter((one[1].topic, one[1].partition, one[1].offset) for one in found if one)


@given(
    events(),
    st.tuples(st.integers(1, 7), st.integers(1, 7)),
    st.lists(st.integers(0, 10**6), min_size=25, max_size=25),
    st.lists(
        st.tuples(st.integers(0, TASKS - 1), st.integers(1, 9), st.booleans(), st.booleans()),
        min_size=9,
        max_size=20,
    ),
)
def test_any_split_with_deaths_and_deletions_in_between_gives_the_features_of_events_placed_well(
    made, counts, places, schedule
):
    async def run() -> Routes:
        routes = Routes(program(ANY_ORDER), TASKS, counts)
        for (topic, _, at, value), place in zip(made, places, strict=False):
            routes.put(TP(("clicks", "purchases")[topic], place % counts[topic]), None, value, at)
        for number, most, kill, purge in schedule:
            await routes.run(number, most, kill=kill, purge=purge)
        # Who begins anew finds all that it has not read.
        routes.restart(routes.tps)
        await routes.finish()
        return routes

    routes, at = asyncio.run(run()), START + 21 * 24 * HOUR
    assert read(routes.profiles(), at) == well_placed(ANY_ORDER, made, at)
    assert not routes.dead_letters
    assert max(sources(routes).values(), default=1) == 1
    # By itself the memory of event ids would hide what is folded twice.
    assert (counted(routes, "events"), counted(routes, "duplicates")) == (len(made), 0)


@given(events(), st.integers(1, 7), st.sampled_from(["murmur2", "crc32"]))
def test_whoever_keys_by_user_keeps_the_order_and_so_the_sessions(made, count, partitioner):
    made = [event for event in made if event[0] == 0]
    place = PARTITIONERS[partitioner]

    async def run() -> Routes:
        routes = Routes(program(SESSIONS), TASKS, (count, 1))
        for _, user, at, value in made:
            routes.put(TP("clicks", place(user.encode(), count)), user.encode(), value, at)
        await routes.finish()
        return routes

    at = START + 21 * 24 * HOUR
    assert read(asyncio.run(run()).profiles(), at) == well_placed(SESSIONS, made, at)


@given(st.lists(st.sampled_from(USERS), min_size=1), st.integers(1, 4))
def test_of_a_multiple_of_the_tasks_no_keyed_event_is_routed(users, times):
    async def run() -> Routes:
        count = TASKS * times
        routes = Routes(program(ANY_ORDER), TASKS, (count, 1))
        for number, user in enumerate(users):
            at = PARTITIONERS["murmur2"](user.encode(), count)
            routes.put(TP("clicks", at), user.encode(), click(user, number))
        await routes.finish()
        return routes

    routes = asyncio.run(run())
    assert not sources(routes)
    assert sum(len(log) for log in routes.logs.values()) == len(users)


async def test_refused_events_name_the_producers_record_and_so_do_causes():
    text = ANY_ORDER.replace(
        "tags: {}", "tags: {came: {class: basic, description: C, when: events > 0}}"
    )
    routes = Routes(program(text), 4, (4, 4))
    user = next(users_on(2))
    routes.put(TP("clicks", 1), b"k", b"{")
    routes.put(TP("clicks", 1), b"k", click(user, 1))
    await routes.finish()
    [letter] = routes.dead_letters
    assert dict(letter.headers)["partition"] + dict(letter.headers)["offset"] == b"10"
    assert (letter.key, letter.value) == (b"k", b"{")
    assert (counted(routes, "routed"), counted(routes, "events")) == (1, 2)
    last = next(iter(routes.tags))
    assert json.loads(last.value)["cause"] == {
        "topic": "clicks",
        "partition": 1,
        "offset": 1,
        "event_id": "c1",
    }


async def test_what_was_routed_to_the_wrong_partition_is_not_sent_on_for_ever():
    routes = Routes(program(ANY_ORDER), 4, (4, 4))
    user = next(users_on(2))
    record = Rec(click(user, 1), 17, START, b"k", "clicks", 3)
    key, value, headers = outgoing(record, Misplaced(0, 0, user, 1))
    assert key == user.encode()
    routes.put(TP(routes.settings.routed_topic, 1), key, value, START, headers)
    await routes.finish()
    [letter] = routes.dead_letters
    found = {name: text.decode() for name, text in letter.headers}
    assert (found["topic"], found["partition"], found["offset"]) == ("clicks", "3", "17")
    assert (found["reason"], letter.key) == ("misrouted", b"k")


async def test_what_no_worker_wrote_to_the_internal_topic_is_refused():
    routes = Routes(program(ANY_ORDER), 4, (4, 4))
    user = next(users_on(2))
    routes.put(TP(routes.settings.routed_topic, 2), user.encode(), click(user, 1))
    await routes.finish()
    [letter] = routes.dead_letters
    found = {name: text.decode() for name, text in letter.headers}
    assert (found["topic"], found["partition"]) == (routes.settings.routed_topic, "2")
    assert found["detail"].startswith("no worker wrote this")
    assert not any(map(len, routes.profiles()))


async def test_route_turned_off_keeps_where_reading_goes_on():
    routes = Routes(program(ANY_ORDER), 4, (4, 4))
    user = next(users_on(2))
    routes.put(TP("clicks", 1), b"k", click(user, 1))
    await routes.finish()
    tps = routes.tps
    routes.restart([tp for tp in tps if tp.topic != routes.settings.routed_topic])
    routes.put(TP("clicks", 2), b"k", click(user, 2))
    await routes.finish()
    last = [r.value for r in routes.changelogs[2] if r.key == b"\0meta"][-1]
    assert json.loads(last)["next"] == {"clicks": 1, "purchases": 0, "routed": 1}
    routes.restart(tps)
    await routes.finish()
    assert routes.profiles()[2].read(user)["events"] == 2


def test_several_inputs_are_merged_by_time_and_each_stays_in_order():
    routes = Routes(program(ANY_ORDER), 2, (4, 4))
    inputs = [one for one in inputs_of(routes.settings, 0, routes.tps) if one.topic == 0]
    assert [one.name for one in inputs] == ["clicks", "clicks:2"]
    one, other = [Rec(b"", n, at) for n, at in enumerate([5, 3, 9])], [Rec(b"", 7, 6)]
    clicks, purchases, strays = gather(Taken([one, other], [3, 8], []), inputs)
    assert [record.offset for record in clicks] == [0, 1, 7, 2]
    assert (purchases, strays) == ([], [])
