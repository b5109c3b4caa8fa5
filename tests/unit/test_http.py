from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from prometheus_client import CollectorRegistry
from support.certificates import Authority

from stream_app.health import Health
from stream_app.http import HttpServer, PortTaken, http_server, make_app
from stream_app.metrics import Metrics
from stream_app.security import SecurityError, client_context
from stream_app.settings import Settings

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


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[Worker]:
    """A worker whose port asks for the token in a file and speaks TLS."""
    made = Authority(tmp_path / "ca").sign("port")
    (tmp_path / "token").write_text("hunter2\n")
    settings = Settings(
        http_port=0,
        http_token_file=str(tmp_path / "token"),
        http_certfile=str(made.cert),
        http_keyfile=str(made.key),
    )
    worker = Worker()
    worker.server = http_server(settings, worker.metrics, worker.health, int)
    await worker.server.start()
    yield worker
    await worker.server.stop()


async def status(worker: Worker, path: str, cafile: Path, login: str | None = None) -> int:
    headers = {} if login is None else {"Authorization": login}
    url = f"https://localhost:{worker.server.port}{path}"
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.get(url, ssl=client_context(str(cafile))) as answer,
    ):
        assert "hunter2" not in await answer.text()
        return answer.status


async def test_metrics_ask_for_the_token_and_probes_do_not(
    guarded: Worker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cafile = tmp_path / "ca" / "ca.pem"
    for path in ("/metrics", "/", "/table"):
        for wrong in (None, "Bearer hunter", "Basic hunter2", "hunter2", "Bearer \udcff"):
            assert await status(guarded, path, cafile, wrong) == 401
    assert await status(guarded, "/metrics", cafile, "Bearer hunter2") == 200
    assert await status(guarded, "/metrics", cafile, "bearer hunter2") == 200
    assert await status(guarded, "/livez", cafile) == 200
    assert await status(guarded, "/readyz", cafile) == 503
    (tmp_path / "token").write_text("hunter3")
    assert await status(guarded, "/metrics", cafile, "Bearer hunter2") == 401
    assert await status(guarded, "/metrics", cafile, "Bearer hunter3") == 200
    (tmp_path / "token").unlink()
    assert await status(guarded, "/metrics", cafile, "Bearer hunter3") == 503
    assert "token cannot be read" in caplog.text


async def test_a_port_with_tls_speaks_nothing_else(guarded: Worker) -> None:
    with pytest.raises(aiohttp.ClientError):
        await guarded.get("/livez")


async def test_a_port_whose_files_are_no_good_is_not_opened(tmp_path: Path) -> None:
    metrics, health = Metrics(CollectorRegistry()), Health(stall_ms=1)
    for name in ("http_certfile", "http_token_file"):
        settings = Settings(**{name: str(tmp_path / "gone")})  # type: ignore[arg-type]
        with pytest.raises(SecurityError, match="gone cannot be read"):
            http_server(settings, metrics, health, int)
