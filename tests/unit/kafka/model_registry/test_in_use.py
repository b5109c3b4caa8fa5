"""Which models decide: compiled for the catalogue, told of once, kept over a change of it."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from msgspec.structs import replace
from prometheus_client import CollectorRegistry
from support.apprentice import World, fold, learning, task
from support.clicks import CATALOGUE
from support.partition import program

from stream_app.engine import Program
from stream_app.engine.models import Models
from stream_app.kafka.model_registry.in_use import ModelsInUse
from stream_app.learning.scorers import Quantiles
from stream_app.learning.snapshot import Model
from stream_app.metrics import Metrics

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
        self.metrics = Metrics(CollectorRegistry())
        self.models = ModelsInUse(self.program, self.new_reader, self.told.append, self.metrics)

    def paused(self) -> dict[str, float]:
        """The metric by task."""
        [found] = [
            family
            for family in self.metrics.registry.collect()
            if family.name == "stream_app_model_paused"
        ]
        return {sample.labels["task"]: sample.value for sample in found.samples}

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


def test_quantiles_that_no_rule_uses_have_no_row_decided_anew(published) -> None:
    shop = Shop()
    shop.models.take(published)
    newer = replace(published["population"], version=99)
    shop.models.take(published | {"population": newer})
    assert len(shop.told) == 1
    assert shop.told[0].quantiles == {}


def test_another_quantile_that_a_rule_uses_is_told_and_another_version_of_the_same_is_not(
    published,
) -> None:
    population = published["population"]
    [name, *_] = population.columns
    shop = Shop(dataclasses.replace(DECLARED, quantiles=(f"q90.{name}", f"q5.{name}", "q90.gone")))
    shop.models.take(published)
    pairs = dict(population.scorer.by_column[name])
    assert shop.told[0].quantiles == {f"q90.{name}": pairs[0.9], f"q5.{name}": pairs[0.05]}
    higher = [(q, 2 * value + 1) if q >= 0.9 else (q, value) for q, value in pairs.items()]
    moved = Quantiles(by_column={name: higher})
    for version in (98, 99):
        newer = replace(population, version=version, scorer=moved)
        shop.models.take(published | {"population": newer})
    assert [told.quantiles[f"q90.{name}"] for told in shop.told] == [
        pairs[0.9],
        2 * pairs[0.9] + 1,
    ]
    rest = {task: model for task, model in published.items() if task != "population"}
    shop.models.take(rest)
    assert shop.told[-1].quantiles == {}


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


def test_what_is_paused_is_a_metric(published) -> None:
    shop = Shop()
    assert shop.paused() == {}
    odd = replace(published["segments"], state="paused")
    shop.models.take(published | {"segments": odd})
    assert shop.paused() == {"likely_to_buy": 0, "segments": 1}
    shop.models.take(published)
    assert shop.paused() == {"likely_to_buy": 0, "segments": 0}
    shop.declared = None
    shop.models.catalogue_changed()
    assert shop.paused() == {}
