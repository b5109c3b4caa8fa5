"""Connections of aiokafka that are lost, and those that nobody accepts."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError, NodeNotReadyError

#: Longest (s) that a broker may take to accept a connection: handshakes, versions, login. aiokafka
#: waits for as long as for any answer; a broker that stands still would hold up each start, and
#: each look for who leads now, for that long, although others answer.
CONNECT_S: Final = 5.0


def register(session_s: float) -> None:
    """Have aiokafka's connections be as below; once is enough.

    Who has a third of a session to get an epoch can then meet one broker that stands still.
    """
    if getattr(AIOKafkaConnection.send, "registered", False):
        return
    AIOKafkaConnection.send = _send(AIOKafkaConnection.send)
    longest_s = min(CONNECT_S, session_s / 6)
    AIOKafkaConnection.connect = _connect(AIOKafkaConnection.connect, longest_s)
    AIOKafkaClient.coordinator_lookup = _lookup(AIOKafkaClient.coordinator_lookup)


def _lookup(plain: Any) -> Any:
    async def coordinator_lookup(self: Any, kind: Any, key: Any) -> Any:
        """Raises NodeNotReadyError where the connection is lost meanwhile.

        A producer then asks another broker; the other error would end it.
        """
        try:
            return await plain(self, kind, key)
        except KafkaConnectionError as error:
            raise NodeNotReadyError(str(error)) from error

    return coordinator_lookup


def _connect(plain: Any, longest_s: float) -> Any:
    async def connect(self: Any) -> Any:
        """Raises TimeoutError, which aiokafka knows, and goes on to another broker."""
        async with asyncio.timeout(longest_s):
            return await plain(self)

    return connect


def _send(plain: Any) -> Any:
    """Have aiokafka go on where it writes to a connection that the network has closed meanwhile.

    Where asyncio's own loop warns, uvloop raises RuntimeError, which ends the group's coordinator
    and with it the worker: https://github.com/aio-libs/aiokafka/issues/1038.
    """

    def send(self: Any, request: Any, expect_response: bool = True) -> Any:
        writer = self._writer
        try:
            return plain(self, request, expect_response)
        except RuntimeError as error:
            if writer is None or not writer.transport.is_closing():
                raise
            self.close(reason=CloseReason.CONNECTION_BROKEN)
            where = f"{self.host}:{self.port}"
            raise KafkaConnectionError(f"connection to {where} was lost") from error

    send.registered = True  # type: ignore[attr-defined]
    return send
