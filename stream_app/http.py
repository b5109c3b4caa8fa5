"""The worker's HTTP port: /metrics, /livez and /readyz."""

from __future__ import annotations

import errno
import hmac
import logging
import ssl
from collections.abc import Callable, Sequence
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from stream_app.health import Condition, Health
from stream_app.metrics import Metrics
from stream_app.security import SecurityError
from stream_app.settings import Settings

log = logging.getLogger(__name__)

INDEX: Final = """\
stream_app
  /metrics  what happens, for Prometheus
  /livez    200 while work makes progress; 503 means restart me
  /readyz   200 while connected, assigned and restored
"""
CLOSE_SECONDS: Final = 2.0
#: What asks these has no token to show, and they tell only how the process is.
PROBES: Final = frozenset({"/livez", "/readyz"})


class PortTaken(Exception):
    """The address is in use or not ours; the message says what to change."""


def http_server(
    settings: Settings, metrics: Metrics, health: Health, now: Callable[[], int]
) -> HttpServer:
    """The port as `settings` have it. Raises SecurityError where a file of theirs is no good."""
    settings.http_secret()
    pages = make_app(metrics, health, now, settings.http_secret)
    return HttpServer(pages, settings.http_host, settings.http_port, settings.http_tls())


def make_app(
    metrics: Metrics,
    health: Health,
    now: Callable[[], int],
    token: Callable[[], str | None] = lambda: None,
) -> web.Application:
    """The pages. `now` returns health's milliseconds, `token` what all but the probes must show."""

    async def index(_: web.Request) -> web.Response:
        return web.Response(text=INDEX)

    async def exposition(_: web.Request) -> web.Response:
        ready = all(condition.holds for condition in health.ready())
        metrics.set("ready", ready)
        return web.Response(
            body=generate_latest(metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )

    async def livez(_: web.Request) -> web.Response:
        return _report([health.live(now())])

    async def readyz(_: web.Request) -> web.Response:
        return _report(health.ready())

    app = web.Application(middlewares=[_asking(token)])
    app.router.add_get("/", index)
    app.router.add_get("/metrics", exposition)
    app.router.add_get("/livez", livez)
    app.router.add_get("/readyz", readyz)
    return app


def _asking(token: Callable[[], str | None]) -> Middleware:
    """Refuse whoever does not show the token; all, while it cannot be read."""

    @web.middleware
    async def ask(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path in PROBES:
            return await handler(request)
        try:
            wanted = token()
        except SecurityError as error:
            log.error("%s: nobody may read the metrics until that is mended", error)
            raise web.HTTPServiceUnavailable(text="the token cannot be read\n") from error
        if wanted is not None and not _shows(request, wanted):
            raise web.HTTPUnauthorized(
                text="show the token: Authorization: Bearer ...\n",
                headers={"WWW-Authenticate": "Bearer"},
            )
        return await handler(request)

    return ask


def _shows(request: web.Request, wanted: str) -> bool:
    scheme, _, shown = request.headers.get("Authorization", "").partition(" ")
    # In a time that does not tell how much of it is right.
    right = hmac.compare_digest(shown.strip().encode(errors="surrogateescape"), wanted.encode())
    return right and scheme.lower() == "bearer"


def _report(conditions: Sequence[Condition]) -> web.Response:
    ok = all(condition.holds for condition in conditions)
    body = {
        "ok": ok,
        "conditions": {c.name: {"ok": c.holds, "detail": c.detail} for c in conditions},
    }
    return web.json_response(body, status=200 if ok else 503)


class HttpServer:
    """Serves an application on one address between `start` and `stop`."""

    def __init__(
        self, app: web.Application, host: str, port: int, tls: ssl.SSLContext | None = None
    ) -> None:
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=CLOSE_SECONDS)
        self._host, self._port, self._tls = host, port, tls

    @property
    def port(self) -> int:
        """The port in use; another than the one asked for when that was 0."""
        return self._port

    async def start(self) -> None:
        """Listens. Raises PortTaken when the address cannot be used."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port, ssl_context=self._tls)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            raise PortTaken(self._refusal(error)) from error
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Closes the port; requests that are under way get two seconds."""
        await self._runner.cleanup()

    def _refusal(self, error: OSError) -> str:
        where = f"{self._host}:{self._port}"
        if error.errno == errno.EADDRINUSE:
            return (
                f"{where} is in use by another program; set STREAM_APP_HTTP_PORT to a free port, "
                "or to 0 for any"
            )
        return f"cannot listen on {where}: {error.strerror or error}; see STREAM_APP_HTTP_HOST"
