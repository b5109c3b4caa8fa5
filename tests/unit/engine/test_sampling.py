"""Samples at day ends: who is drawn, what is known of them by then, and what comes of it later."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.clicks import CATALOGUE, DAY, HOUR, START, click, purchase
from support.partition import program, records

from stream_app.engine import Profiles, Program, step
from stream_app.engine.step import Step
from stream_app.learning.sampling import hashes, units
from stream_app.learning.training import DayEnd, Example, Outcome, Record, decode

#: The midnight after START's noon.
MIDNIGHT = START + 12 * HOUR
LEARNING = """
learning:
  max_gap: 2d
  predictions:
    likely_to_click:
      description: Will click within two days.
      among: clicks_24h >= 1
      features: [clicks_24h, spend_30d]
      outcome: clicks_2d > 0
      horizon: 2d
      rate: {rate}
      bands: {{mid: 0.2, high: 0.5, top: 0.8, margin: 0.05}}
      holdout: 0.5
  segments: {{features: [price_7d], rate: {rate}}}
"""


def learned(rate: float = 1.0) -> Program:
    features = CATALOGUE.replace(
        "features:\n", "features:\n  clicks_2d: {count: clicks, window: 2d}\n"
    )
    return program(features + LEARNING.format(rate=rate))


@pytest.fixture
def profiles() -> Profiles:
    return Profiles(learned())


def fold(profiles: Profiles, *values: bytes, floor: int = 0) -> Step:
    return step(profiles, [records(values, at=START + 60 * DAY), []], floor=floor)


def sampled(done: Step, kind: type[Record] = Example) -> list:
    found = [decode(value) for _, value in done.training]
    return [record for record in found if isinstance(record, kind)]


def test_nothing_is_sampled_before_a_day_ends(profiles) -> None:
    assert fold(profiles, click("ann", 0), click("bob", 1, at=MIDNIGHT - 1)).training == []


def test_a_sample_holds_what_was_known_when_the_day_ended(profiles) -> None:
    look = {"type": "view_item", "item_id": "a", "price": 3, "currency": "USD"}
    done = fold(
        profiles,
        click("ann", 0, at=MIDNIGHT - 2, **look),
        click("ann", 1, at=MIDNIGHT),
        click("bob", 2, at=MIDNIGHT + HOUR),
    )
    [example] = sampled(done)
    assert (example.user_id, example.at, example.partition) == ("ann", MIDNIGHT, 0)
    assert dict(zip(sampled(done, DayEnd)[0].columns, example.values, strict=True)) == {
        "clicks_24h": 1.0,
        "spend_30d": 0.0,
        "price_7d": 3.0,
    }
    assert example.segment
    assert example.tasks.keys() == {"likely_to_click"}
    assert len(profiles) == 2


def test_a_late_event_stays_behind_those_it_came_after(profiles) -> None:
    """Sessions go by the order of the log: a day's end must not fold them in another one."""
    look = {"type": "view_item", "item_id": "a", "price": 3, "currency": "USD"}
    done = fold(
        profiles,
        click("ann", 0, at=MIDNIGHT - 9),
        click("ann", 1, at=MIDNIGHT),
        click("ann", 2, at=MIDNIGHT - 2, **look),
    )
    [example] = sampled(done)
    assert example.values == [1.0, 0.0, None]


def test_events_after_the_day_end_leave_the_sample_as_it_is(profiles) -> None:
    """The law: deleting or changing what is later changes nothing in the vector."""
    before = [click("ann", 0), click("bob", 1, at=MIDNIGHT - 5)]
    later = [click("ann", n, at=MIDNIGHT + n * HOUR) for n in range(2, 9)]
    together = sampled(fold(profiles, *before, *later))
    alone = Profiles(learned())
    fold(alone, *before)
    assert sampled(fold(alone, floor=MIDNIGHT)) == together
    assert {example.user_id for example in together} == {"ann", "bob"}


def test_silent_users_are_sampled_too_and_only_for_what_they_are_eligible_for(profiles) -> None:
    fold(profiles, click("ann", 0))
    done = fold(profiles, click("bob", 1, at=START + 2 * DAY))
    last = [example for example in sampled(done) if example.at == MIDNIGHT + DAY]
    assert [(e.user_id, e.segment, e.tasks) for e in last] == [("ann", True, {})]


def test_an_outcome_is_a_look_at_the_same_user_a_horizon_later(profiles) -> None:
    days = [START + day * DAY for day in range(4)]
    done = fold(profiles, click("ann", 0), click("bob", 1), click("ann", 2, at=days[2]))
    [ann, bob] = sampled(fold(profiles, click("cid", 3, at=days[3])), Outcome)[:2]
    assert sampled(done, Outcome) == []
    assert (ann.user_id, ann.task, ann.value) == ("ann", "likely_to_click", 1.0)
    assert (bob.user_id, bob.value) == ("bob", 0.0)
    assert {(o.sampled_at, o.at) for o in (ann, bob)} == {(MIDNIGHT, MIDNIGHT + 2 * DAY)}


def test_who_came_after_the_sample_has_no_outcome(profiles) -> None:
    fold(profiles, click("ann", 0), click("bob", 1, at=START + DAY))
    outcomes = sampled(fold(profiles, click("ann", 2, at=START + 3 * DAY)), Outcome)
    assert [o.user_id for o in outcomes if o.sampled_at == MIDNIGHT] == ["ann"]


def test_the_records_of_a_day_come_in_order_and_days_one_after_the_other(profiles) -> None:
    fold(profiles, click("ann", 0))
    done = fold(profiles, *(click("ann", n, at=START + n * DAY) for n in range(1, 4)))
    found = [decode(value) for _, value in done.training]
    order = {Outcome: 0, Example: 1, DayEnd: 2}
    places = [(record.at, order[type(record)]) for record in found]
    assert places == sorted(places)
    assert [record.at for record in found if isinstance(record, DayEnd)] == [
        MIDNIGHT + n * DAY for n in range(3)
    ]


def test_a_rate_draws_by_user_and_day() -> None:
    profiles, users = Profiles(learned(0.3)), [f"user-{n}" for n in range(200)]
    fold(profiles, *(click(user, n) for n, user in enumerate(users)))
    drawn = {example.user_id for example in sampled(fold(profiles, floor=MIDNIGHT))}
    share = units(hashes(users), MIDNIGHT // DAY)
    assert drawn == {user for user, unit in zip(users, share, strict=True) if unit < 0.3}
    assert 30 < len(drawn) < 90


def test_a_pause_in_the_feed_is_told_and_ends_sampling_until_it_is_over(profiles) -> None:
    fold(profiles, click("ann", 0))
    done = fold(profiles, click("ann", 1, at=START + 20 * DAY))
    ends = {day.at: day.gap_ms for day in sampled(done, DayEnd)}
    assert ends[MIDNIGHT] == 12 * HOUR
    assert ends[MIDNIGHT + 4 * DAY] == 4.5 * DAY
    # Nothing can be open any more once pause, horizon and a day have passed.
    assert len(ends) == 5
    assert {example.at for example in sampled(done)} == {MIDNIGHT, MIDNIGHT + DAY}
    again = fold(profiles, click("bob", 2, at=START + 20 * DAY + 13 * HOUR))
    assert [day.gap_ms for day in sampled(again, DayEnd)] == [20 * DAY]
    assert sampled(again) == []


def test_without_learning_nothing_is_sampled() -> None:
    profiles = Profiles(program())
    fold(profiles, click("ann", 0))
    assert fold(profiles, click("ann", 1, at=START + 3 * DAY)).training == []
    assert profiles.feed.seen == 0


def test_tags_and_features_are_those_of_a_catalogue_that_does_not_learn() -> None:
    events = [click(f"u{n % 7}", n, at=START + n * 5 * HOUR) for n in range(60)]
    bought = [purchase(f"u{n % 5}", n, at=START + n * 9 * HOUR) for n in range(30)]
    plain = CATALOGUE.replace(
        "features:\n", "features:\n  clicks_2d: {count: clicks, window: 2d}\n"
    )
    ends = []
    for made in (program(plain), learned()):
        profiles = Profiles(made)
        later = START + 60 * DAY
        step(profiles, [records(events, at=later), records(bought, at=later)])
        ends.append(dict(profiles.read_all(profiles.time)))
    assert ends[0] == ends[1]
    assert not any(math.isnan(v) for row in ends[0].values() for v in row.values() if v is float)


@given(cuts=st.lists(st.integers(0, 40), max_size=6).map(sorted))
@settings(max_examples=30, deadline=None)
def test_any_batches_of_events_in_order_give_the_same_samples(cuts) -> None:
    events = [click(f"u{n * n % 7}", n, at=START + n * 5 * HOUR) for n in range(40)]
    [whole] = _batches(events, [])
    parts = _batches(events, cuts)
    assert [record for part in parts for record in part] == whole


def _batches(events: list[bytes], cuts: list[int]) -> list[list]:
    profiles = Profiles(learned(0.7))
    bounds = zip([0, *cuts], [*cuts, len(events)], strict=True)
    return [fold(profiles, *events[start:stop]).training for start, stop in bounds]
