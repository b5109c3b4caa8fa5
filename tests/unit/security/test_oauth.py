from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import BasicAuth, web
from support.certificates import Authority

from stream_app.http import HttpServer
from stream_app.security import client_context, server_context
from stream_app.security.oauth import FileToken, GrantedToken, NoToken


class Endpoint:
    """An OAuth endpoint that knows one client; counts what it grants."""

    def __init__(self, authority: Authority) -> None:
        made = authority.sign("endpoint")
        app = web.Application()
        app.router.add_post("/token", self._grant)
        self.server = HttpServer(app, "127.0.0.1", 0, server_context(str(made.both), None))
        self.cafile = str(authority.cafile)
        self.granted = 0
        self.scope: Any = None
        self.answer: web.Response | None = None
        self.now = 1_000.0

    def client(self, secret: str = "hunter2", scope: str | None = None) -> GrantedToken:
        return GrantedToken(
            f"https://127.0.0.1:{self.server.port}/token",
            "shop",
            lambda: secret,
            scope,
            client_context(self.cafile),
            lambda: self.now,
        )

    async def _grant(self, request: web.Request) -> web.Response:
        form = await request.post()
        login = BasicAuth.decode(request.headers["Authorization"])
        if (login.login, login.password) != ("shop", "hunter2"):
            return web.json_response({"error": "invalid_client"}, status=401)
        assert form["grant_type"] == "client_credentials"
        self.scope = form.get("scope")
        self.granted += 1
        return self.answer or web.json_response(
            {"access_token": f"token-{self.granted}", "expires_in": 100}
        )


@pytest.fixture
async def endpoint(authority: Authority) -> AsyncIterator[Endpoint]:
    endpoint = Endpoint(authority)
    await endpoint.server.start()
    yield endpoint
    await endpoint.server.stop()


async def test_a_token_is_kept_until_shortly_before_it_expires(endpoint: Endpoint) -> None:
    client = endpoint.client(scope="kafka")
    assert await client.token() == "token-1"
    endpoint.now += 79
    assert await client.token() == "token-1"
    endpoint.now += 2
    assert await client.token() == "token-2"
    assert (endpoint.granted, endpoint.scope) == (2, "kafka")


async def test_no_scope_is_asked_for_unless_told(endpoint: Endpoint) -> None:
    await endpoint.client().token()
    assert endpoint.scope is None


async def test_a_wrong_secret_is_said_and_not_shown(endpoint: Endpoint) -> None:
    with pytest.raises(NoToken, match="answers 401: see STREAM_APP_SASL_USERNAME") as raised:
        await endpoint.client("hunter3").token()
    assert "hunter3" not in str(raised.value)


async def test_an_answer_without_a_token_is_said(endpoint: Endpoint) -> None:
    for body in ({"token": "?"}, {"access_token": ""}, {"access_token": 7}, ["?"]):
        endpoint.answer = web.json_response(body)
        with pytest.raises(NoToken, match="without an access_token"):
            await endpoint.client().token()
    endpoint.answer = web.Response(text="<html>")
    with pytest.raises(NoToken, match="no answer of use"):
        await endpoint.client().token()


@pytest.mark.parametrize("told", [None, "soon", "nan", -5, 0, float("inf"), [1], 10**30])
async def test_a_life_that_cannot_be_is_five_minutes(endpoint: Endpoint, told: object) -> None:
    body = json.dumps({"access_token": "t", "expires_in": told})
    endpoint.answer = web.Response(text=body)
    client = endpoint.client()
    assert await client.token() == "t"
    endpoint.now += 239
    await client.token()
    assert endpoint.granted == 1
    endpoint.now += 2
    endpoint.answer = None
    assert await client.token() == "token-2"


async def test_a_life_may_be_told_as_a_text(endpoint: Endpoint) -> None:
    endpoint.answer = web.json_response({"access_token": "t", "expires_in": "3600"})
    client = endpoint.client()
    await client.token()
    endpoint.now += 2_879
    await client.token()
    assert endpoint.granted == 1


async def test_the_secret_follows_no_redirect(endpoint: Endpoint) -> None:
    endpoint.answer = web.Response(status=307, headers={"Location": "/elsewhere"})
    with pytest.raises(NoToken, match="answers 307"):
        await endpoint.client().token()


async def test_an_endpoint_that_nobody_vouches_for_is_told_nothing(
    endpoint: Endpoint, stranger: Authority
) -> None:
    endpoint.cafile = str(stranger.cafile)
    with pytest.raises(NoToken, match="certificate verify failed"):
        await endpoint.client().token()
    assert endpoint.granted == 0


async def test_an_endpoint_that_is_away_is_said(endpoint: Endpoint) -> None:
    client = endpoint.client()
    await endpoint.server.stop()
    with pytest.raises(NoToken, match=r"no token to log in with: https://127\.0"):
        await client.token()


async def test_a_token_in_a_file_is_read_at_each_login(tmp_path: Path) -> None:
    file = tmp_path / "token"
    provider = FileToken(str(file))
    with pytest.raises(NoToken, match="token cannot be read"):
        await provider.token()
    for text in ("one", "two\n"):
        file.write_text(text)
        assert await provider.token() == text.strip()
