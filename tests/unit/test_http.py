from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
from prometheus_client import CollectorRegistry

from stream_app.health import Health
from stream_app.http import HttpServer, PortTaken, make_app
from stream_app.metrics import Metrics

STALLED = 60_001


class Worker:
    """A server on a free port with its metrics, its health and a clock that stands still."""

    def __init__(self) -> None:
        self.now = 0
        self.metrics = Metrics(CollectorRegistry())
        self.health = Health(stall_ms=60_000)
        app = make_app(self.metrics, self.health, lambda: self.now)
        self.server = HttpServer(app, "127.0.0.1", 0)

    async def get(self, path: str) -> aiohttp.ClientResponse:
        async with aiohttp.ClientSession() as session:
            answer = await session.get(f"http://127.0.0.1:{self.server.port}{path}")
            await answer.read()
            return answer


@pytest.fixture
async def worker() -> AsyncIterator[Worker]:
    worker = Worker()
    await worker.server.start()
    yield worker
    await worker.server.stop()


async def test_the_first_page_names_the_others(worker: Worker) -> None:
    text = await (await worker.get("/")).text()
    assert all(path in text for path in ("/metrics", "/livez", "/readyz"))


async def test_metrics_are_exposed(worker: Worker) -> None:
    worker.metrics.count("events", 2, topic="clicks")
    answer = await worker.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    text = await answer.text()
    assert 'stream_app_events_total{topic="clicks"} 2.0' in text
    assert "stream_app_ready 0.0" in text


async def test_readiness_names_each_condition(worker: Worker) -> None:
    worker.health.connected(True)
    worker.health.assigned([3], now=0)
    answer = await worker.get("/readyz")
    assert answer.status == 503
    body = await answer.json()
    assert body["ok"] is False
    assert {name: one["ok"] for name, one in body["conditions"].items()} == {
        "connected": True,
        "assigned": True,
        "restored": False,
    }
    worker.health.restored(3, now=0)
    assert (await worker.get("/readyz")).status == 200
    assert "stream_app_ready 1.0" in await (await worker.get("/metrics")).text()


async def test_liveness_ends_with_a_stall(worker: Worker) -> None:
    worker.health.queued(0, 1, now=0)
    assert (await worker.get("/livez")).status == 200
    worker.now = STALLED
    answer = await worker.get("/livez")
    assert answer.status == 503
    assert "1 records wait" in (await answer.json())["conditions"]["progress"]["detail"]


async def test_nothing_else_is_served(worker: Worker) -> None:
    assert (await worker.get("/table")).status == 404


async def test_a_taken_port_is_explained(worker: Worker) -> None:
    second = HttpServer(
        make_app(worker.metrics, worker.health, int), "127.0.0.1", worker.server.port
    )
    with pytest.raises(PortTaken, match=r"in use .* STREAM_APP_HTTP_PORT"):
        await second.start()


async def test_an_address_of_another_machine_is_explained(worker: Worker) -> None:
    server = HttpServer(make_app(worker.metrics, worker.health, int), "192.0.2.1", 0)
    with pytest.raises(PortTaken, match=r"cannot listen on .* STREAM_APP_HTTP_HOST"):
        await server.start()


async def test_the_port_is_free_after_stop() -> None:
    first = Worker()
    await first.server.start()
    await first.server.stop()
    app = make_app(first.metrics, first.health, int)
    again = HttpServer(app, "127.0.0.1", first.server.port)
    await again.start()
    await again.stop()
