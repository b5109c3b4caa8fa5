from __future__ import annotations

from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError

from stream_app.kafka.client import administration as module
from stream_app.settings import Settings


class Admin:
    def __init__(self, said: list[str], failure: Exception | None, **options: Any) -> None:
        self._said, self._failure = said, failure
        said += options["bootstrap_servers"]

    async def start(self) -> None:
        self._said.append("started")
        if self._failure is not None:
            raise self._failure

    async def close(self) -> None:
        self._said.append("closed")


@pytest.fixture
def said(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []
    failure = getattr(request, "param", None)
    monkeypatch.setattr(module, "AIOKafkaAdminClient", lambda **o: Admin(said, failure, **o))
    return said


async def test_it_is_connected_for_the_block_and_closed_after_it(said: list[str]) -> None:
    async with module.administration(Settings(bootstrap_servers="here:1")):
        said.append("used")
    assert said == ["here:1", "started", "used", "closed"]


@pytest.mark.parametrize("said", [KafkaConnectionError("away")], indirect=True)
async def test_it_is_closed_where_it_cannot_connect(said: list[str]) -> None:
    with pytest.raises(KafkaConnectionError):
        async with module.administration(Settings(bootstrap_servers="here:1")):
            said.append("used")
    assert said == ["here:1", "started", "closed"]
