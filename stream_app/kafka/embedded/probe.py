"""Whether a port is free, and which Kafka answers on it."""

from __future__ import annotations

import asyncio
import logging
import random
import socket
import threading
from itertools import islice
from typing import Final

from stream_app.kafka.embedded.config import HOST

_LASTING: Final = range(15_000, 32_000)


def free_port() -> int:
    """A port that is free, and that nobody else is given for a minute who asks for any.

    A connection that ended there a moment ago keeps it from them, and from nobody who names it
    (with SO_REUSEADDR, as servers do).
    """
    with socket.socket() as probe, socket.socket() as client:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((HOST, 0))
        probe.listen(1)
        client.connect(probe.getsockname())
        # Who closes first is the one whose port stays in TIME_WAIT.
        probe.accept()[0].close()
        client.recv(1)
        return int(probe.getsockname()[1])


def lasting_ports(count: int) -> list[int]:
    """Different ports that were free a moment ago and stay so while their owner is away.

    They lie below what systems give to connections that ask for any port: there, somebody's
    connection may take the port of a broker that is to come back.
    """
    free = (port for port in random.SystemRandom().sample(_LASTING, len(_LASTING)) if is_free(port))
    return list(islice(free, count))


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As the broker does: connections in TIME_WAIT do not count as taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


def answers(bootstrap_servers: str, seconds: float = 5.0) -> bool:
    """Whether a client gets the cluster's metadata within `seconds`."""
    return cluster_of(bootstrap_servers, seconds) is not None


def cluster_of(bootstrap_servers: str, seconds: float = 5.0) -> str | None:
    """The id of the cluster whose metadata a client gets within `seconds`; None if it gets none.

    Runs in a thread of its own, so that callers inside an event loop may ask as well.
    """
    answered: list[str | None] = []

    def ask() -> None:
        answered.append(asyncio.run(_cluster(bootstrap_servers, seconds)))

    with _QUIET:
        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        thread.join(seconds + 1)
    return answered[0] if answered else None


async def _cluster(bootstrap_servers: str, seconds: float) -> str | None:
    from aiokafka.admin import AIOKafkaAdminClient

    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    try:
        async with asyncio.timeout(seconds):
            await admin.start()
            cluster = await admin.describe_cluster()
        return str(cluster["cluster_id"]) if cluster["brokers"] else None
    except Exception:
        return None
    finally:
        await admin.close()


class _Quiet:
    """A logger that says nothing while anyone is inside, from however many threads.

    A broker that is not there yet is expected here, not an error to log.
    """

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)
        self._lock = threading.Lock()
        self._inside = 0
        self._level = logging.NOTSET

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._level = self._logger.level
                self._logger.setLevel(logging.CRITICAL)
            self._inside += 1

    def __exit__(self, *raised: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._logger.setLevel(self._level)


_QUIET: Final = _Quiet("aiokafka")
