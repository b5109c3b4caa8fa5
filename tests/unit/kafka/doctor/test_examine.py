"""One look that fails is told, and the others are taken all the same."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

import pytest
from support.clicks import CATALOGUE

from stream_app.kafka.doctor import Finding, examine, look
from stream_app.kafka.doctor.facts import Broker
from stream_app.kafka.errors import Fatal
from stream_app.settings import Settings

#: The package has a function of the same name.
MODULE = sys.modules["stream_app.kafka.doctor.examine"]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Without a Kafka: brokers answer, and all else is strange in a way of its own."""
    catalogue = tmp_path / "shop.yaml"
    catalogue.write_text(CATALOGUE)

    async def brokers(options: object) -> list[Broker]:
        return [Broker("kafka:9092", named=True)]

    monkeypatch.setattr(look, "brokers", brokers)
    return Settings(catalog=str(catalogue), http_port=0)


def strange(*arguments: object) -> None:
    raise ZeroDivisionError("strange")


async def looked_at(settings: Settings, budget_s: float = 5.0) -> list[Finding]:
    found: list[Finding] = []
    await examine(settings, "worker", found.append, budget_s=budget_s)
    return found


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (Fatal("Kafka did not answer"), "cannot be looked at: Kafka did not answer"),
        (KeyError("x"), "cannot be looked at: KeyError: 'x'"),
        (TypeError("a\nb"), "cannot be looked at: TypeError: a b"),
    ],
)
async def test_what_goes_wrong_ends_one_look_only(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, error: Exception, text: str
) -> None:
    async def fail(*arguments: object, **more: object) -> None:
        raise error

    monkeypatch.setattr(MODULE, "ensure_topics", fail)
    monkeypatch.setattr(MODULE, "administration", strange)
    found = await looked_at(settings)
    told = {finding.subject: finding for finding in found}
    assert (told["topics"].state, told["topics"].text) == ("problem", text)
    assert told["groups"].text == "cannot be looked at: ZeroDivisionError: strange"
    assert told["groups"].remedy.startswith("this was not foreseen")


async def test_what_hangs_is_given_up_when_the_time_is_over(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(*arguments: object, **more: object) -> None:
        await asyncio.get_running_loop().create_future()

    monkeypatch.setattr(MODULE, "ensure_topics", hang)
    monkeypatch.setattr(MODULE, "administration", strange)
    begun = time.monotonic()
    found = await looked_at(settings, budget_s=0.3)
    assert time.monotonic() - begun < 5
    assert [f.text for f in found if f.subject == "topics"] == ["no answer in time"]
