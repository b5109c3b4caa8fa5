"""A TCP proxy that makes a network bad: slow, narrow, cut, closed, or swallowing what it gets."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from stream_app.kafka.embedded.probe import lasting_ports

HOST: Final = "127.0.0.1"
_CHUNK: Final = 16 * 1024
#: So many chunks may be under way each way of a connection; then its sender has to wait.
_UNDER_WAY: Final = 64
#: Close with a reset, as a network does that forgets a connection, and not with a farewell.
_RESET: Final = struct.pack("ii", 1, 0)


class _Link:
    """One direction of the network, which all connections share."""

    def __init__(self) -> None:
        self.latency_s = 0.0
        self.bytes_per_s = float("inf")
        self._free_at = 0.0

    def arrival(self, now: float, size: int) -> float:
        """When `size` bytes that are sent `now` arrive, behind all that was sent before."""
        self._free_at = max(now, self._free_at) + size / self.bytes_per_s
        return self._free_at + self.latency_s


class Proxy:
    """Passes connections to its port on to `target` ("host:port", which may be set later).

    It runs on the event loop that started it: nothing passes while that is blocked. Faults add up
    and hold for all connections, until `mend`. The port stays the same as long as it lives.
    """

    def __init__(self, target: str = "") -> None:
        self.target = target
        self.port = lasting_ports(1)[0]
        self.accepted = 0
        self._there, self._back = _Link(), _Link()
        self._passing = asyncio.Event()
        self._passing.set()
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[None], list[asyncio.StreamWriter]] = {}

    @property
    def address(self) -> str:
        """What clients are told."""
        return f"{HOST}:{self.port}"

    @property
    def connections(self) -> int:
        """How many there are now."""
        return len(self._connections)

    async def __aenter__(self) -> Self:
        await self._listen()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.refuse()

    def slow(self, latency_s: float = 0.0, bytes_per_s: float = float("inf")) -> None:
        """Delay all by `latency_s` each way, and let so many bytes pass in a second each way."""
        for link in (self._there, self._back):
            link.latency_s, link.bytes_per_s = latency_s, bytes_per_s

    async def cut(self) -> None:
        """Reset every connection; new ones are welcome."""
        tasks = list(self._connections)
        for writers in self._connections.values():
            for writer in writers:
                writer.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, _RESET
                )
                writer.transport.abort()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def refuse(self) -> None:
        """Reset every connection and refuse new ones, as a machine without its server does."""
        if self._server is not None:
            self._server.close()
            self._server = None
        await self.cut()

    def swallow(self) -> None:
        """Accept connections, and pass on and answer nothing: packets get lost."""
        self._passing.clear()

    async def mend(self) -> None:
        """End every fault. What was held up arrives now, in order."""
        self.slow()
        self._passing.set()
        if self._server is None:
            await self._listen()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, HOST, self.port)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.accepted += 1
        self._connections[task] = writers = [writer]
        try:
            # A client is accepted by the machine it calls, whether the packets after that arrive.
            await self._passing.wait()
            host, _, port = self.target.rpartition(":")
            far_reader, far = await asyncio.open_connection(host, int(port))
            writers.append(far)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(reader, far, self._there))
                both.create_task(self._pump(far_reader, writer, self._back))
        except* (OSError, asyncio.CancelledError):
            pass
        finally:
            del self._connections[task]
            for one in writers:
                one.transport.abort()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, link: _Link
    ) -> None:
        """Pass on what is read, each chunk at its time; then the end, by ending both ways."""
        loop = asyncio.get_running_loop()
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_UNDER_WAY)

        async def write() -> None:
            while True:
                at, chunk = await under_way.get()
                await asyncio.sleep(at - loop.time())
                await self._passing.wait()
                if not chunk:
                    with suppress(OSError):
                        writer.write_eof()
                    return
                writer.write(chunk)
                await writer.drain()

        async def read() -> None:
            chunk = b"more"
            while chunk:
                chunk = await reader.read(_CHUNK)
                await under_way.put((link.arrival(loop.time(), len(chunk)), chunk))

        async with asyncio.TaskGroup() as both:
            both.create_task(write())
            both.create_task(read())
