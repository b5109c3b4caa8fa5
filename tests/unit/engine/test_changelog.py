"""What a step writes to the changelog brings the same profiles back, under old layouts too."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.clicks import CATALOGUE, click
from support.partition import program, records
from support.streams import Stream, streams

from stream_app.engine import Profiles, Program, step
from stream_app.engine.changelog import (
    META,
    ChangelogError,
    Loader,
    Meta,
    encode_layout,
    encode_meta,
    encode_strings,
)

MORE = CATALOGUE.replace("features:\n", "features:\n  active: {active_days: any, window: 7d}\n")
Pairs = list[tuple[bytes, bytes | None]]


def folded(profiles: Profiles, stream: Stream) -> Pairs:
    """Fold a stream; the changelog of all its rounds."""
    written: Pairs = [encode_layout(profiles.program.layout)]
    for number, batch in enumerate(stream.batches()):
        done = step(profiles, batch)
        written += [meta(profiles, number), *encode_strings(done.strings), *done.outputs.rows()]
    return written


def meta(
    profiles: Profiles, following: int = 0, revision: str | None = None
) -> tuple[bytes, bytes]:
    known = profiles.program.catalogue.revision if revision is None else revision
    strings = len(profiles.dictionary)
    return encode_meta(
        Meta({"clicks": following, "purchases": 0}, profiles.time, "", strings, known)
    )


def loaded(under: Program, written: Pairs, cuts: int = 1) -> Profiles:
    """Profiles restored from a changelog that is delivered in `cuts` pieces."""
    loader = Loader(under, 0, 1)
    for piece in np.array_split(np.arange(len(written)), cuts):
        loader.add([written[i] for i in piece])
    return loader.finish()


def compacted(written: Pairs) -> Pairs:
    """Only the last record of each key, in log order, as compaction leaves it."""
    last = {key: i for i, (key, _) in enumerate(written)}
    return [record for i, record in enumerate(written) if last[record[0]] == i]


def same(one: Profiles, other: Profiles) -> None:
    """Fail unless both hold the same users with the same rows."""
    assert sorted(one.users) == sorted(other.users)
    for user in one.users:
        assert one.read(user) == other.read(user)
        slots = [np.array([profiles.slots[user]]) for profiles in (one, other)]
        assert one.gather(slots[0]).tobytes() == other.gather(slots[1]).tobytes()
        assert one.due[slots[0]] == other.due[slots[1]]


@settings(max_examples=15)
@given(streams(["USD"], most=12), st.integers(1, 5))
def test_rows_strings_time_and_due_come_back(stream, cuts):
    profiles = Profiles(program())
    written = folded(profiles, stream)
    for log in (written, compacted(written)):
        again = loaded(program(), log, cuts)
        same(again, profiles)
        assert again.time == profiles.time
        assert list(again.dictionary.values) == list(profiles.dictionary.values)


@settings(max_examples=10)
@given(streams(["USD"], most=12))
def test_what_comes_back_goes_on_as_if_nothing_had_happened(stream):
    whole, part = Profiles(program()), Profiles(program())
    *first, last = list(stream.batches())
    written: Pairs = [encode_layout(program().layout)]
    for batch in first:
        step(whole, batch)
        done = step(part, batch)
        written += [meta(part), *encode_strings(done.strings), *done.outputs.rows()]
    again = loaded(program(), written)
    ended, resumed = step(whole, last), step(again, last)
    # A first round on no profiles leaves nothing to come back to.
    assert ended.outputs.changes == resumed.outputs.changes
    same(whole, again)


def test_rows_of_an_older_layout_are_carried_over_by_name():
    old = Profiles(program())
    done = step(old, [records([click("ann", 0), click("bob", 1)]), []])
    written = [*done.outputs.rows(), encode_layout(program().layout), meta(old)]
    again = loaded(program(MORE), written)
    assert again.users == ["ann", "bob"]
    assert again.read("ann") == {"active": 0} | old.read("ann")
    state = again.program.tags.state(again.gather(np.array([0])), 0, again.dictionary.values)
    assert state.keys() == {"visitor"}
    # Every row is due: its tags were decided under another catalogue.
    assert again.due.tolist() == [0, 0]


def test_of_several_rows_of_a_user_the_last_counts_whatever_their_layouts():
    profiles = Profiles(program())
    first = list(step(profiles, [records([click("ann", 0)]), []]).outputs.rows())
    newer = profiles.under(program(MORE))
    second = list(step(newer, [records([click("ann", 1)]), []]).outputs.rows())
    layouts = [encode_layout(program().layout), encode_layout(program(MORE).layout)]
    for under in (program(), program(MORE)):
        assert (
            loaded(under, [*layouts, *first, *second, meta(newer)]).read("ann")["clicks_24h"] == 2
        )
        assert (
            loaded(under, [*layouts, *second, *first, meta(newer)]).read("ann")["clicks_24h"] == 1
        )


def test_a_catalogue_with_another_revision_makes_every_row_due():
    profiles = Profiles(program())
    done = step(profiles, [records([click("ann", 0)]), []])
    own = program().catalogue.revision
    for revision, due in ((own, profiles.due.tolist()), ("", [0]), ("other", [0])):
        again = loaded(program(), [*done.outputs.rows(), meta(profiles, revision=revision)])
        assert again.due.tolist() == due


def test_an_empty_changelog_is_a_new_application():
    loader = Loader(program(), 0, 1)
    assert len(loader.finish()) == 0
    assert loader.meta is None


def test_a_deleted_user_is_gone_and_may_come_back():
    written, cat = good(), (b"ann", None)
    row = next(record for record in written if record[0] == b"ann")
    other = next(iter(step(Profiles(program()), [records([click("bob", 5)]), []]).outputs.rows()))
    for cuts in (1, 3):
        assert loaded(program(), [*written, other, cat], cuts).slots.keys() == {"bob"}
        assert loaded(program(), [*written, cat, other, row], cuts).slots.keys() == {"ann", "bob"}
        assert loaded(program(), [cat, other, *written, cat], cuts).slots.keys() == {"bob"}
        again = loaded(program(MORE), [*written, other, cat, encode_layout(program().layout)], cuts)
        assert again.slots.keys() == {"bob"}
        assert again.due[again.find(["bob"])].tolist() == [0]


def test_what_is_left_after_a_deletion_is_as_it_was():
    profiles = Profiles(program())
    look = {"type": "view_item", "item_category": "shoes"}
    written = [encode_layout(program().layout)]
    done = step(profiles, [records([click(u, n, **look) for n, u in enumerate("abc")]), []])
    written += [*encode_strings(done.strings), *done.outputs.rows(), meta(profiles)]
    again = loaded(program(), [*written, (b"b", None)])
    assert again.users == ["a", "c"]
    assert [again.read(u) for u in "ac"] == [profiles.read(u) for u in "ac"]
    assert again.due.tolist() == profiles.due[[0, 2]].tolist()
    assert again.time == profiles.time


def good() -> Pairs:
    profiles = Profiles(program())
    look = {"type": "view_item", "item_category": "shoes"}
    done = step(profiles, [records([click("ann", 0, **look)]), []])
    strings = encode_strings(done.strings)
    return [encode_layout(program().layout), *strings, *done.outputs.rows(), meta(profiles)]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda log: [r for r in log if r[0] != META], r"1 profiles but no offsets \(\\0meta\)"),
        (lambda log: [r for r in log if not r[0].startswith(b"\0string")], "records are missing"),
        (
            lambda log: [*log, (b"bob", b"\1" * 40)],
            "0101010101010101, whose description is missing",
        ),
    ],
)
def test_a_changelog_that_is_not_whole_is_refused(spoil, message):
    with pytest.raises(ChangelogError, match=message):
        loaded(program(), spoil(good()))
    assert loaded(program(), good()).users == ["ann"]


@pytest.mark.parametrize(
    "record",
    [(META, b"{"), (b"\0string:x", b"a"), (b"\xff", b"\1" * 40)],
    ids=["meta", "string", "key"],
)
def test_what_cannot_be_read_is_an_error_too(record):
    # Whatever it is, restoring turns it into a refusal.
    with pytest.raises(ValueError):
        loaded(program(), [*good(), record])


def test_a_row_cut_short_is_an_error():
    log = good()
    user, row = log[-2]
    with pytest.raises((ChangelogError, ValueError)):
        loaded(program(), [*log, (user, row[:-3])])
