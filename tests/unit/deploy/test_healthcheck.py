"""The image's health check against the program's own HTTP port."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from aiohttp import web
from support.certificates import Authority
from support.image import ROOT

from stream_app.http import HttpServer
from stream_app.security import server_context
from stream_app.settings import PREFIX, Settings

CHECK = ROOT / "deploy/image/healthcheck.py"


async def ask(**settings: str) -> tuple[int, str]:
    """Exit code and words of the check in an environment with these settings."""
    named = {f"{PREFIX}{name.upper()}": value for name, value in settings.items()}
    process = await asyncio.create_subprocess_exec(
        sys.executable, CHECK, stdout=subprocess.PIPE, env=dict(os.environ) | named
    )
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


def page(status: int) -> web.Application:
    async def livez(_: web.Request) -> web.Response:
        return web.Response(status=status, text="the loop stands still")

    app = web.Application()
    app.router.add_get("/livez", livez)
    return app


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
async def test_it_says_what_livez_says(
    status: int, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A proxy is not asked: this one is not there.
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    server = HttpServer(page(status), "127.0.0.1", 0)
    await server.start()
    try:
        answer = await ask(http_port=str(server.port), http_host="0.0.0.0")
    finally:
        await server.stop()
    assert answer[0] == code
    assert ("the loop stands still" in answer[1]) == bool(code)


async def test_nobody_answers() -> None:
    server = HttpServer(page(200), "127.0.0.1", 0)
    await server.start()
    await server.stop()
    code, said = await ask(http_port=str(server.port))
    assert code == 1
    assert f"http://127.0.0.1:{server.port}/livez" in said
    assert "Traceback" not in said


async def test_it_speaks_tls_where_the_port_does(tmp_path: Path) -> None:
    # Its certificate names another host than the one that asks: itself.
    made = Authority(tmp_path / "authority").sign("elsewhere", hosts="DNS:elsewhere.example")
    server = HttpServer(page(200), "127.0.0.1", 0, server_context(str(made.both), None))
    await server.start()
    try:
        assert (await ask(http_port=str(server.port)))[0] == 1
        answer = await ask(http_port=str(server.port), http_certfile=str(made.both))
    finally:
        await server.stop()
    assert answer == (0, "")


def test_the_variables_are_settings() -> None:
    named = set(re.findall(rf"{PREFIX}([A-Z_]+)", CHECK.read_text()))
    assert named == {"HTTP_HOST", "HTTP_PORT", "HTTP_CERTFILE"}
    assert {name.lower() for name in named} <= set(Settings.model_fields)
    default = Settings.model_fields["http_port"].default
    assert f"or '{default}'" in CHECK.read_text()
