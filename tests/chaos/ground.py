"""What a run stands on: one embedded broker, which can be killed and frozen."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from chaos.schedule import BROKER, Fault, Kind
from stream_app.kafka.embedded import EmbeddedKafka


class Ground(Protocol):
    """A Kafka and what may happen to it. `servers` is for the program, `near` for those who watch:
    what happens to the network between does not reach them."""

    kinds: Sequence[Kind]
    replication: int
    min_isr: int

    @property
    def servers(self) -> str: ...
    @property
    def near(self) -> str: ...
    async def strike(self, fault: Fault) -> None: ...
    async def mend(self, fault: Fault) -> None: ...


class Shared:
    """A Kafka that others use too: nothing may happen to it."""

    kinds: Sequence[Kind] = ()
    replication = min_isr = 1

    def __init__(self, servers: str) -> None:
        self.servers = self.near = servers

    async def strike(self, fault: Fault) -> None:
        raise AssertionError(fault)

    mend = strike


class OneBroker:
    """A single broker."""

    kinds: Sequence[Kind] = BROKER
    replication = min_isr = 1

    def __init__(self, broker: EmbeddedKafka) -> None:
        self._broker = broker

    @property
    def servers(self) -> str:
        return self._broker.bootstrap_servers

    @property
    def near(self) -> str:
        return self.servers

    async def strike(self, fault: Fault) -> None:
        if fault.kind == "broker-killed":
            await asyncio.to_thread(self._broker.kill)
        else:
            self._broker.freeze()

    async def mend(self, fault: Fault) -> None:
        if fault.kind == "broker-killed":
            await asyncio.to_thread(self._broker.restart)
        else:
            self._broker.thaw()
