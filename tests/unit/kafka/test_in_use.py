"""Which models decide: compiled for the catalogue, told of once, kept over a change of it."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from support.apprentice import World, fold, learning, task
from support.clicks import CATALOGUE
from support.partition import program

from stream_app.engine import Program
from stream_app.engine.models import Models
from stream_app.kafka.in_use import ModelsInUse
from stream_app.learning.snapshot import Model

DECLARED = learning(task(), segments=True)


class Reader:
    """What would follow the topic."""

    def __init__(self, take: Any) -> None:
        self.take = take
        self.state = "made"

    async def start(self) -> None:
        self.state = "started"

    async def stop(self) -> None:
        self.state = "stopped"


class Shop:
    """A program that learns what `declared` says, and all that was told."""

    def __init__(self, declared: Any = DECLARED) -> None:
        self.declared = declared
        self.told: list[Models] = []
        self.readers: list[Reader] = []
        self.models = ModelsInUse(self.program, self.new_reader, self.told.append)

    def program(self) -> Program:
        made = program(CATALOGUE)
        fake: Any = type("Program", (), {})()
        fake.catalogue = type("Catalogue", (), {"learning": self.declared, "tags": made})()
        return fake

    def new_reader(self, take: Any) -> Reader:
        self.readers.append(Reader(take))
        return self.readers[-1]


@pytest.fixture(scope="module")
def published() -> dict[str, Model]:
    made = fold(DECLARED, list(World(DECLARED, users=400).records(12)))
    return {model.task: model for model in made}


async def test_where_nothing_is_learned_nothing_is_followed() -> None:
    shop = Shop(declared=None)
    await shop.models.follow()
    await shop.models.stop()
    assert shop.readers == []
    assert shop.models.current is None


async def test_the_topic_is_followed_once_however_often_it_is_asked_for() -> None:
    shop = Shop()
    await shop.models.follow()
    await shop.models.follow()
    assert [reader.state for reader in shop.readers] == ["started"]
    await shop.models.stop()
    assert shop.readers[0].state == "stopped"


def test_other_models_are_told_once(published) -> None:
    shop = Shop()
    shop.models.take(published)
    shop.models.take(dict(published))
    assert len(shop.told) == 1
    assert shop.models.current is shop.told[0]
    assert set(shop.told[0].versions) == {"likely_to_buy", "segments"}


def test_the_populations_quantiles_have_no_row_decided_anew(published) -> None:
    shop = Shop()
    shop.models.take(published)
    newer = replace(published["population"], version=99)
    shop.models.take(published | {"population": newer})
    assert len(shop.told) == 1


def test_a_newer_version_is_told(published) -> None:
    shop = Shop()
    shop.models.take(published)
    newer = replace(published["likely_to_buy"], version=99)
    shop.models.take(published | {"likely_to_buy": newer})
    assert shop.told[-1].versions["likely_to_buy"] == 99


def test_another_catalogue_is_compiled_for_without_the_topic(published) -> None:
    shop = Shop()
    shop.models.take(published)
    shop.declared = learning(segments=True)
    shop.models.catalogue_changed()
    assert set(shop.models.current.versions) == {"segments"}
    shop.declared = None
    shop.models.catalogue_changed()
    assert shop.models.current is None
