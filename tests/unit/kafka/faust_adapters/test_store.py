"""The Faust table is a view of the rows; Faust neither writes nor restores it (trap 7, 12)."""

from __future__ import annotations

import faust
import pytest
from faust.stores import STORES
from faust.types import TP
from support.clicks import click
from support.partition import program, records

from stream_app.engine import Profiles, step
from stream_app.kafka.faust_adapters import store


class Shop(faust.App):
    """An application whose profiles are two partitions."""

    def profiles(self):
        for users in (("ann", "bob"), ("zoe",)):
            profiles = Profiles(program())
            step(profiles, [records([click(user, n) for n, user in enumerate(users)]), []])
            yield profiles


@pytest.fixture
def table(tmp_path) -> faust.Table:
    store.register()
    app = Shop("shop", store=f"{store.SCHEME}://", datadir=tmp_path, web_enabled=False)
    return app.Table("profiles", key_type=str, value_type=dict, partitions=2)


def test_the_scheme_is_known_to_faust():
    store.register()
    assert STORES.by_url(f"{store.SCHEME}://") is store.RowStore


def test_a_profile_reads_as_its_features(table):
    rows = table.data
    assert isinstance(rows, store.RowStore)
    assert rows["zoe"]["clicks_24h"] == 1
    assert "bob" in rows
    assert "nobody" not in rows
    assert sorted(rows) == ["ann", "bob", "zoe"]
    assert len(rows) == 3
    with pytest.raises(KeyError):
        rows["nobody"]


def test_nobody_else_writes(table):
    with pytest.raises(TypeError):
        table.data["ann"] = {}
    with pytest.raises(TypeError):
        del table.data["ann"]


async def test_faust_restores_nothing(table):
    rows, tp = table.data, TP("changelog", 0)
    assert rows.persisted_offset(tp) is None
    with pytest.raises(RuntimeError, match="must not restore"):
        rows.apply_changelog_batch([], to_key=str, to_value=str)
    rows.reset_state()
    await rows.backup_partition(tp)
    rows.restore_backup(tp)
    assert len(rows) == 3
