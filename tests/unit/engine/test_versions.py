"""Which changelogs a worker goes on from: by format, partitions, and who changes them."""

from __future__ import annotations

import msgspec
import pytest
from support.clicks import click
from support.partition import program, records

from stream_app.engine import Profiles, step
from stream_app.engine.changelog import META, Loader, Meta, encode_layout, encode_meta
from stream_app.engine.versions import FORMAT, OLDEST, Unready, check_format, check_standing


def restored(count: int = 1, /, **fields: object) -> Loader:
    """A changelog of one user whose `\\0meta` says `fields`."""
    profiles = Profiles(program())
    done = step(profiles, [records([click("ann", 0)]), []])
    meta = Meta({"clicks": 1, "purchases": 0}, profiles.time, "", 0)
    value = msgspec.json.encode(msgspec.structs.replace(meta, **fields))
    loader = Loader(program(), 0, count)
    loader.add([encode_layout(program().layout), *done.outputs.rows(), (META, value)])
    loader.finish()
    return loader


@pytest.mark.parametrize("written", range(OLDEST, FORMAT + 1))
def test_every_known_format_is_restored(written: int) -> None:
    assert restored(format=written).profiles.users == ["ann"]


def test_what_does_not_tell_its_format_has_the_first() -> None:
    old = b'{"next":{"clicks":1,"purchases":0},"time":5,"layout":"","strings":0}'
    assert msgspec.json.decode(old, type=Meta).format == OLDEST == 1


def test_what_is_written_has_the_newest() -> None:
    _, value = encode_meta(Meta({}, 0, "", 0))
    assert msgspec.json.decode(value, type=Meta).format == FORMAT


def test_a_format_of_the_future_is_refused_at_once() -> None:
    with pytest.raises(Unready, match=rf"format {FORMAT + 1}, this version reads 1 to {FORMAT}: a"):
        restored(format=FORMAT + 1)


def test_a_format_too_old_is_refused_with_the_way_there() -> None:
    with pytest.raises(Unready, match="Start a version between the two first"):
        check_format(OLDEST - 1, 3)


def test_a_half_changed_state_is_refused_and_the_command_named() -> None:
    with pytest.raises(Unready, match=r"half changed: `stream-app repartition --to 8 --apply` has"):
        restored(busy="stream-app repartition --to 8 --apply")


def test_only_the_last_meta_counts() -> None:
    loader = restored()
    loader.add([encode_meta(Meta({}, 0, "", 0, busy="x", partitions=7))])
    loader.add([encode_meta(Meta({}, 0, "", 0, partitions=1))])
    assert loader.finish().users == ["ann"]


@pytest.mark.parametrize("told", [0, 4])
def test_the_number_of_partitions_may_be_untold(told: int) -> None:
    check_standing("", told, 0, 4)
    assert restored(4, partitions=told).profiles.partitions == 4


def test_another_number_of_partitions_is_refused() -> None:
    with pytest.raises(Unready, match=r"over 4 partitions, not over 8.*repartition --to 8 --apply"):
        restored(8, partitions=4)
