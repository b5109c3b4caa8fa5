"""Each fault of the proxy, seen by a client on a plain socket."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Self

import pytest
from support.proxy import HOST, Proxy

SOON_S = 5.0


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer with what was said; end when the client does."""
    while said := await reader.read(65_536):
        writer.write(said)
    writer.close()


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    server = await asyncio.start_server(echo, HOST, 0)
    async with server, Proxy(f"{HOST}:{server.sockets[0].getsockname()[1]}") as made:
        yield made


@dataclass
class Client:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @classmethod
    async def of(cls, proxy: Proxy) -> Self:
        return cls(*await asyncio.open_connection(HOST, proxy.port))

    async def ask(self, said: bytes, seconds: float = SOON_S) -> bytes:
        self.writer.write(said)
        async with asyncio.timeout(seconds):
            return await self.reader.readexactly(len(said))


async def test_without_a_fault_all_passes_and_the_end_too(proxy: Proxy) -> None:
    client, said = await Client.of(proxy), bytes(range(256)) * 4_000
    assert await client.ask(said) == said
    assert (proxy.accepted, proxy.connections) == (1, 1)
    client.writer.write_eof()
    assert await asyncio.wait_for(client.reader.read(), SOON_S) == b""


async def test_latency_is_added_each_way_and_once_for_all_that_is_under_way(proxy: Proxy) -> None:
    proxy.slow(latency_s=0.05)
    client, begun = await Client.of(proxy), time.monotonic()
    await client.ask(b"x" * 600_000)
    assert 0.1 <= time.monotonic() - begun < 2.5


async def test_bandwidth_is_shared_by_all_connections(proxy: Proxy) -> None:
    proxy.slow(bytes_per_s=100_000)
    clients, begun = [await Client.of(proxy) for _ in range(2)], time.monotonic()
    await asyncio.gather(*(client.ask(b"x" * 10_000) for client in clients))
    assert time.monotonic() - begun >= 0.2


async def test_a_cut_resets_connections_and_lets_new_ones_in(proxy: Proxy) -> None:
    client = await Client.of(proxy)
    await client.ask(b"hello")
    await proxy.cut()
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(client.reader.read(1), SOON_S)
    assert proxy.connections == 0
    assert await (await Client.of(proxy)).ask(b"again") == b"again"


async def test_refused_until_mended(proxy: Proxy) -> None:
    client = await Client.of(proxy)
    await client.ask(b"hello")
    await proxy.refuse()
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(client.reader.read(1), SOON_S)
    with pytest.raises(ConnectionRefusedError):
        await Client.of(proxy)
    await proxy.mend()
    assert await (await Client.of(proxy)).ask(b"again") == b"again"


async def test_what_is_swallowed_arrives_when_mended(proxy: Proxy) -> None:
    known = await Client.of(proxy)
    await known.ask(b"hello")
    proxy.swallow()
    new = await Client.of(proxy)
    for client in (known, new):
        client.writer.write(b"heard?")
    answers = [asyncio.create_task(c.reader.readexactly(6)) for c in (known, new)]
    done, _ = await asyncio.wait(answers, timeout=0.1)
    assert not done
    await proxy.mend()
    assert await asyncio.wait_for(asyncio.gather(*answers), SOON_S) == [b"heard?"] * 2


async def test_a_target_that_is_away_ends_the_connection(proxy: Proxy) -> None:
    proxy.target = f"{HOST}:1"
    client = await Client.of(proxy)
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await client.ask(b"hello")
