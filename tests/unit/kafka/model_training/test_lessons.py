"""What is learned follows the catalogue's file."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.learned import TEXT

from stream_app.domain.errors import DeclarationError
from stream_app.engine.catalogue import Limits
from stream_app.engine.reload import CatalogueFile
from stream_app.kafka.model_training.lessons import Lessons


class Shop:
    """A catalogue's file, and what is learned by it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.write_text(TEXT)
        catalogue = CatalogueFile(path, Limits())
        assert catalogue.program.catalogue.learning is not None
        self.lessons = Lessons(catalogue, catalogue.program.catalogue.learning)

    def changed(self, old: str, new: str) -> bool:
        text = self._path.read_text()
        assert old in text
        self._path.write_text(text.replace(old, new))
        return self.lessons.reload()


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path / "shop.yaml")


def test_only_a_change_of_what_is_learned_counts(shop: Shop) -> None:
    assert not shop.lessons.reload()
    assert not shop.changed("learning:", "# A note.\n\nlearning:")
    assert shop.changed("holdout: 0.0", "holdout: 0.25")
    assert not shop.lessons.reload()
    fold = shop.lessons.make_fold()
    assert shop.lessons.make_fold() is not fold


def test_a_broken_file_is_told_once_and_the_next_good_one_counts(shop: Shop) -> None:
    with pytest.raises(DeclarationError, match="horizon"):
        shop.changed("horizon: 2d", "horizon: 5m")
    assert not shop.lessons.reload()
    assert shop.changed("horizon: 5m", "horizon: 2d\n      max_flips: 0.25")


def test_without_anything_to_learn_the_last_is_learned_on(shop: Shop, caplog) -> None:
    learning = TEXT[TEXT.index("\nlearning:") :]
    assert not shop.changed(learning, "\n")
    assert "nothing to learn any more" in caplog.text
    assert shop.lessons.make_fold() is not None
