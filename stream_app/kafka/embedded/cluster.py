"""EmbeddedCluster: several brokers on this machine, of which any one may be lost. For tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from aiokafka.structs import TopicPartition

from stream_app.kafka.embedded import leaders, probe
from stream_app.kafka.embedded.broker import EmbeddedKafka
from stream_app.kafka.embedded.config import SHORT_LIVED, Seat
from stream_app.kafka.embedded.prepare import new_cluster_id
from stream_app.kafka.embedded.runtime import Say, find_runtime

SIZE: Final = 3
DEFAULT_HEAP: Final = "256m"

#: Every topic has a copy on each of three brokers, and takes writes while two have them.
_COPIED: Final[dict[str, str]] = {
    "default.replication.factor": "3",
    "min.insync.replicas": "2",
    "offsets.topic.replication.factor": "3",
    "transaction.state.log.replication.factor": "3",
    "transaction.state.log.min.isr": "2",
    "share.coordinator.state.topic.replication.factor": "3",
    "share.coordinator.state.topic.min.isr": "2",
    # Leaders move when a test says so, or when they are lost.
    "auto.leader.rebalance.enable": "false",
}


class EmbeddedCluster:
    """Three brokers on 127.0.0.1, numbered 1 to 3; `with` starts them and ends them again.

    Each is a controller too: one of them may be away, whichever, and the other two go on. Every
    topic that asks for three copies, and Kafka's own, then has two. `fronts` holds for each broker
    the ports of proxies by listener, as for EmbeddedKafka. All end with this process.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        heap: str = DEFAULT_HEAP,
        fronts: Sequence[Mapping[str, int]] = ({},) * SIZE,
        say: Say = lambda line: None,
    ) -> None:
        ports = probe.lasting_ports(2 * SIZE)
        numbers = range(1, SIZE + 1)
        controllers = dict(zip(numbers, ports[SIZE:], strict=True))
        cluster = new_cluster_id()
        self._say = say
        self.brokers = {
            number: EmbeddedKafka(
                data_dir / f"broker-{number}",
                ports[number - 1],
                heap=heap,
                fronts=front,
                seat=Seat(number, cluster, controllers),
                settings=_COPIED,
                java=(SHORT_LIVED,),
                say=say,
            )
            for number, front in zip(numbers, fronts, strict=True)
        }

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def bootstrap_servers(self) -> str:
        """The addresses of all brokers, also of those that are away."""
        return self._addresses(lambda broker: broker.bootstrap_servers)

    def servers_of(self, listener: str) -> str:
        """The brokers' own addresses of one of the fronts, by number: where a proxy goes."""
        return self._addresses(lambda broker: broker.servers_of(listener))

    def _addresses(self, of: Callable[[EmbeddedKafka], str]) -> str:
        return ",".join(map(of, self.brokers.values()))

    def start(self) -> Self:
        """Start all at once; returns when each of them answers a client."""
        find_runtime(self._say)
        try:
            with ThreadPoolExecutor(SIZE) as pool:
                list(pool.map(EmbeddedKafka.start, self.brokers.values()))
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End all at once: brokers that leave together have nobody to hand over to."""
        for broker in self.brokers.values():
            if broker.alive:
                broker.kill()

    def kill(self, number: int) -> None:
        """End a broker as a crash would."""
        self.brokers[number].kill()

    def freeze(self, number: int) -> None:
        """Stop a broker where it is: connections stay open, nothing answers."""
        self.brokers[number].freeze()

    def thaw(self, number: int) -> None:
        """Let a frozen broker go on."""
        self.brokers[number].thaw()

    def restart(self, number: int) -> None:
        """Start a broker again on its port and data; one that still runs is asked to stop first."""
        self.brokers[number].restart()

    async def in_sync(self, seconds: float = 60.0) -> None:
        """Return when all three hold all there is; only then may the next one be lost."""
        await leaders.in_sync(self.bootstrap_servers, self.brokers, seconds)

    async def copies(self) -> dict[TopicPartition, leaders.Copies]:
        """Leader and copies of every partition."""
        return await leaders.copies(self.bootstrap_servers)

    async def move_leaders(self, wanted: Mapping[TopicPartition, int]) -> None:
        """Have each partition led by the broker of that number."""
        await leaders.move_leaders(self.bootstrap_servers, wanted)
