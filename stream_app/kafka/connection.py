"""A connection that was lost is an error that aiokafka knows, under uvloop too."""

from __future__ import annotations

from typing import Any

from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError


def register() -> None:
    """Have aiokafka go on where it writes to a connection that the network has closed meanwhile.

    Where asyncio's own loop warns, uvloop raises RuntimeError, which ends the group's coordinator
    and with it the worker: https://github.com/aio-libs/aiokafka/issues/1038.
    """
    plain = AIOKafkaConnection.send
    if getattr(plain, "knows_uvloop", False):
        return

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

    send.knows_uvloop = True  # type: ignore[attr-defined]
    AIOKafkaConnection.send = send
