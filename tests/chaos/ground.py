"""What a run stands on: one embedded broker or three, the network in front, and the disk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Protocol

from aiokafka.structs import TopicPartition
from support.disk import Disk, disk_for
from support.proxy import Proxy

from chaos.schedule import BROKER, CLUSTER, DISK, NETWORK, Fault, Kind
from stream_app.kafka.embedded import EmbeddedCluster, EmbeddedKafka

FRONT = "FRONT"
DISK_MB = 384
#: A slow network: this long each way, and so many bytes a second.
LATENCY_S, BYTES_PER_S = 0.05, 500_000
#: Longest that a broker without a disk to write to goes on.
ENDS_S = 60.0


class Ground(Protocol):
    """A Kafka and what may happen to it. `servers` is for the program, `near` for those who watch:
    what happens to the network between does not reach them."""

    kinds: Sequence[Kind]
    replication: int
    min_isr: int
    servers: str
    near: str

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
    """A single broker: while it is away, everything waits."""

    kinds: Sequence[Kind] = (*BROKER, *NETWORK, *DISK)
    replication = min_isr = 1

    def __init__(self, broker: EmbeddedKafka, network: Network, disk: Disk) -> None:
        self.servers = network.servers
        self.near = broker.bootstrap_servers
        self._broker = broker
        self._network = network
        self._disk = disk

    async def strike(self, fault: Fault) -> None:
        if fault.kind == "broker-killed":
            await asyncio.to_thread(self._broker.kill)
        elif fault.kind == "broker-frozen":
            self._broker.freeze()
        elif fault.kind == "disk-full":
            await asyncio.to_thread(self._disk.fill)
            async with asyncio.timeout(ENDS_S):
                # A broker that cannot write any more ends itself.
                while self._broker.alive:
                    await asyncio.sleep(0.05)
        else:
            await self._network.strike(fault)

    async def mend(self, fault: Fault) -> None:
        if fault.kind == "broker-frozen":
            self._broker.thaw()
        elif fault.kind == "disk-full":
            self._disk.free()
            await asyncio.to_thread(self._broker.restart)
        elif fault.kind == "broker-killed":
            await asyncio.to_thread(self._broker.restart)
        else:
            await self._network.mend()


class ThreeBrokers:
    """Three brokers with a copy of everything on each; two that have it are enough to go on."""

    kinds: Sequence[Kind] = (*CLUSTER, *NETWORK)
    replication, min_isr = 3, 2

    def __init__(self, cluster: EmbeddedCluster, network: Network) -> None:
        self.servers = network.servers
        self.near = cluster.bootstrap_servers
        self._cluster = cluster
        self._network = network

    async def strike(self, fault: Fault) -> None:
        number = 1 + fault.target % len(self._cluster.brokers)
        if fault.kind == "broker-killed":
            await asyncio.to_thread(self._cluster.kill, number)
        elif fault.kind == "broker-frozen":
            self._cluster.freeze(number)
        elif fault.kind == "leaders-moved":
            await self._cluster.move_leaders(
                dict.fromkeys((p for p in await self._cluster.copies() if _ours(p)), number)
            )
        else:
            await self._network.strike(fault)

    async def mend(self, fault: Fault) -> None:
        number = 1 + fault.target % len(self._cluster.brokers)
        if fault.kind == "broker-killed":
            await asyncio.to_thread(self._cluster.restart, number)
        elif fault.kind == "broker-frozen":
            self._cluster.thaw(number)
        else:
            await self._network.mend()
        # Only then may the next one be lost.
        await self._cluster.in_sync()


def _ours(part: TopicPartition) -> bool:
    return not part.topic.startswith("__")


class Network:
    """Proxies in front of all brokers."""

    def __init__(self, proxies: Sequence[Proxy]) -> None:
        self.servers = ",".join(proxy.address for proxy in proxies)
        self._proxies = proxies

    async def strike(self, fault: Fault) -> None:
        if fault.kind == "slow":
            for proxy in self._proxies:
                proxy.slow(LATENCY_S, BYTES_PER_S)
            return
        proxy = self._proxies[fault.target % len(self._proxies)]
        if fault.kind == "cut":
            await proxy.refuse()
        else:
            proxy.swallow()

    async def mend(self) -> None:
        for proxy in self._proxies:
            await proxy.mend()


@asynccontextmanager
async def one_broker(folder: Path) -> AsyncIterator[OneBroker]:
    """One broker with a proxy in front and a disk of its own."""
    async with AsyncExitStack() as stack:
        proxy = await stack.enter_async_context(Proxy())
        kafka = EmbeddedKafka(folder, port=0, heap="512m", fronts={FRONT: proxy.port})
        disk = stack.enter_context(disk_for(folder / "data", DISK_MB, lambda: kafka.pid))
        stack.callback(kafka.stop)
        await asyncio.to_thread(kafka.start)
        proxy.target = kafka.servers_of(FRONT)
        yield OneBroker(kafka, Network([proxy]), disk)


@asynccontextmanager
async def three_brokers(folder: Path) -> AsyncIterator[ThreeBrokers]:
    """Three brokers, each with a proxy in front."""
    async with AsyncExitStack() as stack:
        proxies = [await stack.enter_async_context(Proxy()) for _ in range(3)]
        cluster = EmbeddedCluster(folder, fronts=[{FRONT: proxy.port} for proxy in proxies])
        stack.callback(cluster.stop)
        await asyncio.to_thread(cluster.start)
        for proxy, broker in zip(proxies, cluster.brokers.values(), strict=True):
            proxy.target = broker.servers_of(FRONT)
        yield ThreeBrokers(cluster, Network(proxies))


GROUNDS = {"one": one_broker, "three": three_brokers}
