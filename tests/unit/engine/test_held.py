"""Rows that move to another partition's dictionary are the same rows, and are told to be."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from support.settled import changelog_of, meta_of
from support.streams import streams

from stream_app.engine import Profiles, load_catalogue, step
from stream_app.engine.catalogue import Limits, Program
from stream_app.engine.changelog import (
    ChangelogError,
    Loader,
    Meta,
    encode_meta,
    encode_strings,
)
from stream_app.engine.held import Figures, Held, code_fields, recoded, total
from stream_app.engine.outputs import tag_states
from stream_app.engine.versions import FORMAT, Unready
from stream_app.features import Dictionary

NEXT = {"clicks": 0, "purchases": 0}


@cache
def retail() -> Program:
    return load_catalogue("retail").compile(Limits(retention_ms=36_500 * 86_400_000))


def held_of(profiles: Profiles) -> Held:
    held = Held(profiles.number)
    held.add(changelog_of(profiles, meta_of(profiles, NEXT)))
    return held


def moved(held: Held, known: list[str]) -> list[tuple[bytes, bytes]]:
    """The changelog of a partition that knew other strings, once all of `held` have moved there."""
    other = Dictionary()
    other.codes(known)
    rows = [record for block in held.blocks() for record in recoded(block, held.dictionary, other)]
    layouts = list(held.layouts.items())
    assert held.meta is not None
    meta = Meta(NEXT, held.meta.time, "", len(other), held.meta.revision)
    return [*layouts, *encode_strings(other.take_added()), *rows, encode_meta(meta)]


@settings(max_examples=10, deadline=None)
@given(streams(["USD"], most=25))
def test_a_row_means_the_same_under_another_dictionary(stream) -> None:
    profiles = Profiles(retail())
    for batch in stream.batches():
        step(profiles, batch)
    held = held_of(profiles)
    written = moved(held, ["salt", "elsewhere", "shoes"])
    loader = Loader(retail(), 0, 1)
    loader.add(written)
    again = loader.finish()
    at = profiles.time + stream.look_ms
    assert dict(again.read_all(at)) == dict(profiles.read_all(at))
    assert sorted(map(repr, tag_states(again))) == sorted(map(repr, tag_states(profiles)))
    arrived = Held(1)
    arrived.add(written)
    assert arrived.figures() == held.figures()


def test_every_field_of_the_retail_catalogue_that_holds_codes_is_known() -> None:
    # What these tests would not see: codes of nobody's strings are moved as they are.
    names = code_fields(retail().layout)
    assert {name.partition(":")[0] for name in names} == {"slots3", "slots8", "last", "list"}
    assert all(retail().layout.field(name).dtype == "<u2" for name in names)


def people(*users: str, city: str = "Köln") -> Profiles:
    profiles = Profiles(retail())
    rows = retail().layout.blank(len(users))
    name = next(name for name in code_fields(retail().layout) if name.startswith("last:"))
    rows[name] = profiles.dictionary.codes([city])[0] if city else 65_535
    rows["version"] = np.arange(1, len(users) + 1)
    profiles.scatter(profiles.add(users), rows)
    return profiles


def test_figures_add_up_whichever_way_users_are_spread() -> None:
    whole = held_of(people("a", "b")).figures()
    parts = [people("a"), people("b")]
    parts[1].rows.column("version", retail().layout.dtype)[:] = 2
    assert held_of(parts[0]).figures() + held_of(parts[1]).figures() == whole
    assert whole.users == 2
    assert whole.versions == 3
    assert Figures() + whole == whole


@pytest.mark.parametrize(
    "other",
    [people("a", city="Bonn"), people("a", city=""), people("b")],
    ids=["string", "no room", "user"],
)
def test_figures_tell_another_string_or_user(other: Profiles) -> None:
    assert held_of(people("a")).figures() != held_of(other).figures()


def test_what_found_no_room_stays_so() -> None:
    held = held_of(people("a", city=""))
    again = Held(0)
    again.add(moved(held, ["x"]))
    assert again.figures() == held.figures()
    assert list(again.dictionary.values) == ["", "x"]


def test_strings_that_rows_name() -> None:
    assert held_of(people("a")).texts([b"a"]) == {"Köln"}
    assert held_of(people("a")).texts([]) == set()
    assert held_of(people("a", city="")).texts([b"a"]) == set()


def test_the_last_record_of_a_key_counts() -> None:
    held = held_of(people("a", "b"))
    held.add([(b"a", None), (b"\0note", b"1"), (b"\0other", b"2"), (b"\0other", None)])
    assert held.rows.keys() == {b"b"}
    assert held.notes == {b"\0note": b"1"}


def test_an_undescribed_layout_and_a_future_format_are_refused() -> None:
    held = held_of(people("a"))
    held.layouts.clear()
    with pytest.raises(ChangelogError, match="profiles of partition 0 have the layout"):
        held.figures()
    with pytest.raises(Unready, match=f"format {FORMAT + 1}"):
        held.add(
            [
                (
                    b"\0meta",
                    b'{"next":{},"time":0,"layout":"","strings":0,"format":%d}' % (FORMAT + 1),
                )
            ]
        )


def test_totals_of_records() -> None:
    assert total({}) == Figures()
    assert total({b"a": b"1"}) + total({b"b": b"2"}) == total({b"b": b"2", b"a": b"1"})
    assert total({b"a": b"1"}) != total({b"a": b"2"})
    assert total({b"a": b"1"}) != total({b"a1": b""})
