"""The embedded broker's settings: small, quick to start, reachable from here only."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

HOST = "127.0.0.1"
NODE = 1

# Broker settings that do not depend on where it runs.
FIXED: dict[str, str] = {
    "process.roles": "broker,controller",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    # A forgotten topic must be an error here as it is in a real cluster.
    "auto.create.topics.enable": "false",
    # The internal topics: few partitions, because each costs start time, and a single copy.
    "offsets.topic.num.partitions": "4",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # A worker that joins gets its partitions at once.
    "group.initial.rebalance.delay.ms": "0",
    # Replayed history carries old record times: by time, the broker would delete it at once.
    "log.retention.ms": "-1",
    # Larger than any event that is accepted, so that the worker meets it and reports it.
    "message.max.bytes": str(16 * 2**20),
    "replica.fetch.max.bytes": str(16 * 2**20),
    "num.network.threads": "2",
    "num.io.threads": "4",
    "num.recovery.threads.per.data.dir": "2",
    "controlled.shutdown.max.retries": "1",
    # After a crash the controller refuses the broker until the old session has run out.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
}

JVM = (
    "-XX:+UseParallelGC",
    "-XX:-UsePerfData",
    "-Djava.awt.headless=true",
    "--enable-native-access=ALL-UNNAMED",
)
#: Halves the work of a start, by compiling less well: for what does not run long.
SHORT_LIVED = "-XX:TieredStopAtLevel=1"

_LOG4J = """<?xml version="1.0" encoding="UTF-8"?>
<Configuration status="ERROR" shutdownHook="disable">
  <Appenders>
    <RollingFile name="file" fileName="{log}" filePattern="{log}.%i">
      <PatternLayout pattern="%d{{ISO8601}} %p %m (%c{{1}})%n"/>
      <Policies><SizeBasedTriggeringPolicy size="10 MB"/></Policies>
      <DefaultRolloverStrategy max="2"/>
    </RollingFile>
  </Appenders>
  <Loggers>
    <Root level="{level}"><AppenderRef ref="file"/></Root>
  </Loggers>
</Configuration>
"""


def default_data_dir(environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> Path:
    """Where the broker's data lies unless told otherwise: the user's state folder."""
    told = environ.get("STREAM_APP_BROKER_DIR")
    if told:
        return Path(told)
    if platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "stream_app" / "broker"
    state = environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "stream_app" / "broker"


@dataclass(frozen=True)
class Layout:
    """Where things lie in a broker's data folder."""

    root: Path

    @property
    def logs(self) -> Path:
        """The partitions' data."""
        return self.root / "data"

    @property
    def properties(self) -> Path:
        return self.root / "server.properties"

    @property
    def log4j(self) -> Path:
        return self.root / "log4j2.xml"

    @property
    def log(self) -> Path:
        """What the broker logs (warnings and errors)."""
        return self.root / "broker.log"

    @property
    def output(self) -> Path:
        """What its processes print before logging is set up."""
        return self.root / "output.log"

    @property
    def pid_file(self) -> Path:
        return self.root / "broker.json"

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    @property
    def formatted(self) -> bool:
        return self._meta.exists()

    @property
    def cluster(self) -> str | None:
        """The id that the folder was formatted with; None where it was not."""
        lines = self._meta.read_text().splitlines() if self.formatted else []
        found = (line.removeprefix("cluster.id=") for line in lines if line[:11] == "cluster.id=")
        return next(found, None)

    @property
    def _meta(self) -> Path:
        return self.logs / "meta.properties"


@dataclass(frozen=True)
class Seat:
    """A broker's place in a cluster: its number, the cluster's id, and where each one's controller
    listens, by number. Every broker is a controller too.
    """

    node: int
    cluster: str
    controllers: Mapping[int, int]


@dataclass(frozen=True)
class More:
    """What a broker has beside the common: addresses of listeners, their protocols, settings.

    `advertised` are the addresses that clients are told, where they are not those listened on.
    """

    addresses: Sequence[str] = ()
    protocols: Sequence[str] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    advertised: Sequence[str] | None = None

    def behind(self, fronts: Mapping[str, int], ports: Mapping[str, int]) -> More:
        """The same with a plain listener for each of `fronts`, which has clients stay with the
        port given there; it listens on the one in `ports`.
        """
        told = self.addresses if self.advertised is None else self.advertised
        return replace(
            self,
            addresses=[*self.addresses, *(f"{name}://{HOST}:{ports[name]}" for name in fronts)],
            advertised=[*told, *(f"{name}://{HOST}:{front}" for name, front in fronts.items())],
            protocols=[*self.protocols, *(f"{name}:PLAINTEXT" for name in fronts)],
        )


def write_config(
    layout: Layout,
    port: int,
    controller_port: int,
    more: More | None = None,
    seat: Seat | None = None,
) -> None:
    """Write server.properties and the log4j2 file; fresh at every start, as ports may change.

    Without a seat it is a cluster of its own, with its controller on `controller_port`.
    """
    more = more or More()
    node, controllers = (seat.node, seat.controllers) if seat else (NODE, {NODE: controller_port})
    own = f"PLAINTEXT://{HOST}:{port}"
    told = more.addresses if more.advertised is None else more.advertised
    settings = (
        FIXED
        | dict(more.settings)
        | {
            "node.id": str(node),
            "listeners": ",".join(
                [own, *more.addresses, f"CONTROLLER://{HOST}:{controllers[node]}"]
            ),
            "advertised.listeners": ",".join([own, *told]),
            "listener.security.protocol.map": ",".join(
                ["PLAINTEXT:PLAINTEXT", "CONTROLLER:PLAINTEXT", *more.protocols]
            ),
            "controller.quorum.voters": ",".join(
                f"{number}@{HOST}:{at}" for number, at in controllers.items()
            ),
            "log.dirs": str(layout.logs),
        }
    )
    lines = "".join(f"{key}={value}\n" for key, value in settings.items())
    layout.properties.write_text(lines)
    layout.log4j.write_text(_LOG4J.format(log=layout.log, level="WARN"))


def jvm_arguments(layout: Layout, heap: str) -> list[str]:
    """Arguments of `java` before the class name; `heap` as in -Xmx: 512m, 1g."""
    return [
        f"-Xmx{heap}",
        *JVM,
        f"-Dlog4j2.configurationFile={layout.log4j.as_uri()}",
    ]
