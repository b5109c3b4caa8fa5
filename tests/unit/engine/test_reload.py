"""The catalogue file in use follows its file; the last good one stays."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.clicks import CATALOGUE

from stream_app.domain.errors import DeclarationError
from stream_app.engine.catalogue import Limits
from stream_app.engine.reload import CatalogueFile


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "shop.yaml"
    file.write_text(CATALOGUE)
    return file


def test_an_unchanged_file_is_not_read_again(path):
    file = CatalogueFile(path, Limits())
    first = file.program
    assert file.reload() is None
    path.touch()
    assert file.reload() is None
    assert file.program is first


def test_a_changed_file_is_compiled_under_the_same_limits(path):
    file = CatalogueFile(path, Limits(max_event_bytes=77))
    old = file.program
    path.write_text(CATALOGUE.replace("clicks_24h >= 3", "clicks_24h >= 4"))
    new = file.reload()
    assert new is file.program
    assert new is not old
    assert new.catalogue.revision != old.catalogue.revision
    assert new.decoder._options.max_event_bytes == 77


def test_a_broken_file_is_refused_once_and_the_last_good_one_stays(path):
    file = CatalogueFile(path, Limits())
    good = file.program
    path.write_text(CATALOGUE.replace("spend_30d > 100", "spend_03d > 100"))
    with pytest.raises(DeclarationError, match=r"shop\.yaml:11: tags\.spender\.when: .*spend_30d"):
        file.reload()
    assert file.program is good
    assert file.reload() is None
    path.write_text(CATALOGUE.replace("spend_30d > 100", "spend_30d > 99"))
    assert file.reload() is not None


def test_a_file_that_is_away_for_a_moment_changes_nothing(path):
    file = CatalogueFile(path, Limits())
    path.unlink()
    assert file.reload() is None
    path.write_text(CATALOGUE)
    assert file.reload() is None


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("currency: USD", "currency: EUR", "currency"),
        ("clock: event", "clock: event, partitioner: crc32", "partitioner"),
    ],
)
def test_what_profiles_rest_on_cannot_change(path, old, new, field):
    file = CatalogueFile(path, Limits())
    path.write_text(CATALOGUE.replace("rates: {EUR: 1.1}, ", "").replace(old, new))
    with pytest.raises(DeclarationError, match=rf"shop\.{field}: cannot change from"):
        file.reload()
    assert file.program.shop.currency == "USD"
