"""Who answers on the HTTP port of this machine."""

from __future__ import annotations

import asyncio
import ssl

import aiohttp

from stream_app.kafka.doctor.facts import Port
from stream_app.settings import Settings

_WAIT_S = 2.0
#: Where a worker that listens on all addresses can be asked.
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104


async def look_at_port(settings: Settings) -> Port | None:
    """The port of the settings; None where any that is free is taken."""
    if not settings.http_port:
        return None
    host = _ANY.get(settings.http_host, settings.http_host)
    address = f"{host}:{settings.http_port}"
    try:
        async with asyncio.timeout(_WAIT_S):
            _, writer = await asyncio.open_connection(host, settings.http_port)
        writer.close()
    except (OSError, TimeoutError):
        return Port(address, None)
    scheme, tls = ("https", _unchecked()) if settings.http_certfile else ("http", True)
    name = f"[{host}]" if ":" in host else host
    try:
        async with (
            asyncio.timeout(_WAIT_S),
            aiohttp.ClientSession() as session,
            session.get(f"{scheme}://{name}:{settings.http_port}/readyz", ssl=tls) as answer,
        ):
            conditions = (await answer.json())["conditions"]
            unmet = tuple(
                f"{name}: {told['detail']}" for name, told in conditions.items() if not told["ok"]
            )
            return Port(address, answer.status, unmet)
    except (OSError, TimeoutError, aiohttp.ClientError, ValueError, KeyError, TypeError):
        return Port(address, 0)


def _unchecked() -> ssl.SSLContext:
    # Only whether it is ours is asked; nothing secret is said or believed.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
