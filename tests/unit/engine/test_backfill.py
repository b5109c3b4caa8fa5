"""New features that are filled are as if they had been declared from the first event on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.clicks import DAY, START, click, purchase
from support.partition import program, records
from support.settled import changelog_of, meta_of
from support.streams import streams
from support.traffic import CATALOGUE

from stream_app.engine import Profiles, Program, step
from stream_app.engine.backfill import Refold, features_of, fill, first_seen, lacking
from stream_app.engine.changelog import Loader, Meta, encode_layout, encode_meta, encode_strings
from stream_app.engine.held import Held

NEXT = {"clicks": 0, "purchases": 0}
FEATURES = CATALOGUE.partition("features:\n")[2].partition("tags:\n")[0].splitlines()
LONGER = "  orders_7d: {count: purchase, window: 30d}"
NAMES = [line.strip().partition(":")[0] for line in FEATURES]


def under(names: list[str], **changed: str) -> Program:
    """The catalogue with these of its features, some declared in another way, and one tag."""
    lines = [changed.get(n, line) for n, line in zip(NAMES, FEATURES, strict=True) if n in names]
    tag = "  any: {class: basic, description: Any, when: events_total >= 1}\n"
    return program(
        CATALOGUE.partition("features:\n")[0] + "features:\n" + "\n".join(lines) + "\ntags:\n" + tag
    )


def filled(old: Profiles, refold: Refold, wanted: tuple[str, ...] = ()) -> Profiles:
    """The profiles that are restored once all rows have been filled."""
    held = Held(0)
    held.add(changelog_of(old, meta_of(old, NEXT)))
    new, written = refold.profiles.program, []
    for block in held.blocks():
        fields = lacking(new, block.layout, wanted)
        rows = fill(block, refold, held.dictionary, fields)
        written += [(u, row.tobytes()) for u, row in zip(block.users, rows, strict=True)]
    texts = [(code, text) for code, text in enumerate(held.dictionary.values.known) if code]
    meta = Meta(NEXT, old.time, "", len(held.dictionary))
    loader = Loader(new, 0, 1)
    loader.add([encode_layout(new.layout), *encode_strings(texts), *written, encode_meta(meta)])
    return loader.finish()


def compared(values: dict[str, Any]) -> dict[str, Any]:
    """Decayed weights agree up to rounding."""
    return {
        name: [one | {"share": pytest.approx(one["share"])} for one in value]
        if isinstance(value, list)
        else pytest.approx(value, nan_ok=True)
        if isinstance(value, float)
        else value
        for name, value in values.items()
    }


@settings(max_examples=15, deadline=None)
@given(streams(["USD"], most=25), st.sets(st.sampled_from(NAMES[2:-1])))
def test_filled_features_are_as_if_they_had_always_been_declared(stream, new: set[str]) -> None:
    new |= {"basket_value"} if new & {"spend_7d", "orders_7d"} else set()
    before = under([name for name in NAMES if name not in new])
    after = under(NAMES)
    old, direct, refold = Profiles(before), Profiles(after), Refold(after)
    for batch in stream.batches():
        step(old, batch)
        step(direct, batch)
    # By topic, and in other portions than when they were read first.
    merged = next(iter(stream.merged().batches()), [[], []])
    for topic, log in enumerate(merged):
        refold.add(topic, log, direct.users)
    again = filled(old, refold)
    assert again.users == direct.users
    at = direct.time + stream.look_ms
    for user in direct.users:
        assert again.read(user, at) == compared(direct.read(user, at))


def test_a_longer_window_is_filled_behind_what_is_known() -> None:
    short, long = (
        under(NAMES),
        under(NAMES, orders_7d="  orders_7d: {count: purchase, window: 30d}"),
    )
    old, refold = Profiles(short), Refold(long)
    bought = [purchase("ann", day, 1, START + day * DAY) for day in range(20)]
    for day, value in enumerate(bought):
        step(old, [[], records([value], at=START + day * DAY)])
    # Retention has left days 5 to 9, and of the last ones day 19 alone: known ones stay.
    for day in (5, 6, 7, 8, 9, 19):
        refold.add(1, records([bought[day]], at=START + day * DAY), ["ann"])
    again = filled(old, refold)
    assert old.read("ann")["orders_7d"] == 7
    assert again.read("ann")["orders_7d"] == 7 + 5


def test_where_the_latest_events_are_not_kept_the_windows_still_move() -> None:
    before, after = (
        under([n for n in NAMES if n not in ("orders_7d", "basket_value")]),
        under(NAMES),
    )
    old, refold = Profiles(before), Refold(after)
    for day in (0, 1, 8):
        value = purchase("ann", day, 1, START + day * DAY)
        step(old, [[], records([value], at=START + day * DAY)])
        if day < 8:
            refold.add(1, records([value], at=START + day * DAY), ["ann"])
    assert filled(old, refold).read("ann")["orders_7d"] == 0


def test_what_is_known_stays_unless_it_is_named() -> None:
    every = under(NAMES)
    old, refold = Profiles(every), Refold(every)
    step(old, [records([click("ann", n, type="view_item") for n in range(3)]), []])
    refold.add(0, records([click("ann", 0, type="view_item")]), ["ann"])
    assert filled(old, refold).read("ann") == old.read("ann")
    named = filled(old, refold, ("views_6h",)).read("ann")
    assert named == old.read("ann") | {"views_6h": 1}


def test_users_of_whom_nothing_is_kept_stay_blank_and_others_are_not_made() -> None:
    before, after = under(["events_total"]), under(NAMES)
    old = Profiles(before)
    step(old, [records([click("ann", 0)]), []])
    refold = Refold(after)
    refold.add(0, records([click("bob", 1), click("eve", 2), None, b"{"]), {"ann", "eve"})
    assert refold.events == 1
    again = filled(old, refold)
    assert again.users == ["ann"]
    assert again.read("ann")["events_total"] == 1
    assert again.read("ann")["views_6h"] == 0


def test_strings_that_only_new_features_name_are_taken_over() -> None:
    before, after = under(["events_total"]), under(NAMES)
    old, refold = Profiles(before), Refold(after)
    seen = records([click("ann", 0, device="mobile"), click("bob", 1, device="tablet")])
    step(old, [seen, []])
    refold.add(0, seen, {"ann", "bob"})
    refold.profiles.dictionary.codes(["x"])
    again = filled(old, refold)
    assert [again.read(user)["device"] for user in ("ann", "bob")] == ["mobile", "tablet"]


def test_what_is_lacking_is_told_by_features() -> None:
    new = under(NAMES, orders_7d=LONGER)
    old = under([name for name in NAMES if name not in ("device", "usual_device")])
    fields = lacking(new, old.layout)
    assert features_of(new, fields) == ["orders_7d", "device", "usual_device"]
    assert sorted(set(fields.values())) == [0, 7]
    assert not lacking(new, new.layout)
    assert features_of(new, lacking(new, new.layout, ["device"])) == ["device"]
    assert np.all([name in new.layout for name in fields])


def test_of_who_was_forgotten_and_came_back_only_the_later_events_count() -> None:
    kept = CATALOGUE.replace("clock: event", "clock: event, idle_retention: 30d")
    more = kept.replace("features:\n", "features:\n  ever: {count: any, window: all}\n")
    before, after = program(kept), program(more)
    old = Profiles(before)
    days = (0, 1, 50, 51)
    looks = [
        records([click("ann", day, at=START + day * DAY)], at=START + day * DAY) for day in days
    ]
    for look in looks:
        step(old, [look, []])
    held = Held(0)
    held.add(changelog_of(old, meta_of(old, NEXT)))
    refold = Refold(after, first_seen(after, held.blocks()))
    for look in looks:
        refold.add(0, look, ["ann"])
    assert filled(old, refold).read("ann")["ever"] == 2
    assert first_seen(program(CATALOGUE), held.blocks()) == {}
