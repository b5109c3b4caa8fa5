"""Connections that the other side has closed, under uvloop, and brokers that stand still."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
import uvloop
from aiokafka.client import AIOKafkaClient, CoordinationType
from aiokafka.conn import AIOKafkaConnection, create_conn
from aiokafka.errors import KafkaConnectionError, KafkaError, NodeNotReadyError
from aiokafka.producer.sender import Sender
from aiokafka.producer.transaction_manager import TransactionManager
from aiokafka.protocol.admin import ApiVersionRequest

from stream_app.kafka.client import connection


@pytest.fixture(autouse=True)
def plain() -> Iterator[None]:
    """What is registered here is gone after the test."""
    before = AIOKafkaConnection.send, AIOKafkaConnection.connect
    lookup = AIOKafkaClient.coordinator_lookup
    yield
    AIOKafkaConnection.send, AIOKafkaConnection.connect = before
    AIOKafkaClient.coordinator_lookup = lookup


async def write_to_what_was_closed() -> None:
    """Send on a connection that was closed beneath it."""
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        broken = AIOKafkaConnection("127.0.0.1", port)
        broken._reader, broken._writer = await asyncio.open_connection("127.0.0.1", port)
        broken._read_task = asyncio.create_task(asyncio.sleep(0))
        broken._writer.transport.abort()
        await asyncio.sleep(0)
        try:
            broken.send(ApiVersionRequest())
        finally:
            broken._reader = None


def test_it_is_an_error_that_aiokafka_knows() -> None:
    connection.register(30)
    connection.register(30)
    with pytest.raises(KafkaConnectionError, match=r"connection to 127\.0\.0\.1:\d+ was lost"):
        uvloop.run(write_to_what_was_closed())


def test_it_was_one_that_ended_the_worker() -> None:
    """Where this fails, aiokafka has learned it, and `connection` can go."""
    with pytest.raises(RuntimeError, match="the handler is closed"):
        uvloop.run(write_to_what_was_closed())


async def test_a_broker_that_stands_still_is_given_up_before_an_answer_is() -> None:
    connection.register(session_s=0.3)
    closed = asyncio.Event()

    async def stand_still(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The system accepts for it, and what is sent stays unanswered.
        while await reader.read(1_000):
            pass
        closed.set()
        writer.close()

    server = await asyncio.start_server(stand_still, "127.0.0.1", 0)
    async with server, asyncio.timeout(10):
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(TimeoutError):
            await create_conn("127.0.0.1", port, request_timeout_ms=60_000)
        await closed.wait()


async def test_other_errors_stay_what_they_are() -> None:
    connection.register(30)
    unconnected = AIOKafkaConnection("127.0.0.1", 1)
    with pytest.raises(KafkaConnectionError, match="No connection to broker"):
        unconnected.send(ApiVersionRequest())


class OneBroker(AIOKafkaClient):
    """Knows a broker, and loses the connection to it in every request."""

    def get_random_node(self) -> int:
        return 1

    async def send(self, *_: object, **__: object) -> None:
        raise KafkaConnectionError("Connection at 127.0.0.1:1 closed")


async def test_who_looks_for_a_coordinator_goes_on_where_the_connection_is_lost() -> None:
    connection.register(30)
    with pytest.raises(NodeNotReadyError, match=r"127\.0\.0\.1:1 closed"):
        await OneBroker().coordinator_lookup(CoordinationType.TRANSACTION, "app-1")


async def test_without_it_a_producer_ends() -> None:
    """Where this fails, aiokafka has learned it, and `_lookup` can go."""
    manager = TransactionManager("app-1", 1_000)
    sender = Sender(OneBroker(), acks=-1, txn_manager=manager, message_accumulator=None,
                    retry_backoff_ms=1, request_timeout_ms=100)  # fmt: skip
    with pytest.raises(KafkaError, match="closed"):
        async with asyncio.timeout(10):
            await sender._find_coordinator(CoordinationType.TRANSACTION, "app-1")
