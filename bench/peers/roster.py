"""Who takes part: how each is started, and what it guarantees by its own documents."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench.lanes import Lane
from bench.peers import engine
from bench.peers.contenders.plan import Plan
from bench.processes import ROOT
from stream_app.kafka.embedded.probe import free_port

CACHE = ROOT / ".cache" / "peers"
JARS = (CACHE / "flink-sql-connector-kafka.jar", CACHE / "zstd-jni.jar")


def python(environment: str) -> str:
    """The interpreter of a contender's environment; that of this process for none."""
    return str(CACHE / environment / "bin" / "python") if environment else sys.executable


@dataclass(frozen=True)
class Contender:
    """`module` runs in `environment`; `command` gives the arguments after the interpreter.

    `prepare` are arguments of commands to run once in an empty folder, before the first start.
    `events` is the backlog for measuring, chosen so that it takes some ten seconds.
    """

    name: str
    title: str
    environment: str
    command: Callable[[Plan], list[str]]
    events: int
    prepare: Callable[[Plan], list[str]] | None = None
    extra: dict[str, str] = field(default_factory=dict)

    def arguments(self, plan: Plan) -> list[str]:
        """The whole command."""
        return [python(self.environment), *self.command(plan)]

    def variables(self, plan: Plan, lane: Lane) -> dict[str, str]:
        """What its process is told."""
        if self.name == "stream_app":
            return lane.environment() | {"STREAM_APP_HTTP_PORT": str(free_port())}
        return plan.environment() | self.extra


def _module(name: str) -> Callable[[Plan], list[str]]:
    return lambda _: ["-m", f"bench.peers.contenders.{name}"]


def _recovery(plan: Plan) -> str:
    return str(Path(plan.folder) / "recovery")


def _bytewax(plan: Plan) -> list[str]:
    flow = "bench.peers.contenders.bytewax_flow:flow"
    return ["-m", "bytewax.run", flow, "-r", _recovery(plan), "-s", "10", "-b", "0"]


CONTENDERS = (
    Contender(
        "stream_app", "stream_app", "",
        lambda _: ["-m", "stream_app", "worker", "--no-restart"], 300_000,
    ),
    Contender("faust", "Faust + River", "", _module("stock_faust"), 20_000),
    Contender(
        "faust_eo", "Faust + River, `exactly_once`", "", _module("stock_faust"), 20_000,
        extra={"PEERS_GUARANTEE": "exactly_once"},
    ),
    Contender("quix", "Quix Streams + River", "quix", _module("quix_streams"), 100_000),
    Contender(
        "bytewax", "Bytewax + River", "bytewax", _bytewax, 200_000,
        prepare=lambda plan: ["-m", "bytewax.recovery", _recovery(plan), "1"],
    ),
    Contender(
        "flink", "PyFlink + River", "flink", _module("py_flink"), 40_000,
        extra={"PEERS_FLINK_JARS": ";".join(jar.as_uri() for jar in JARS)},
    ),
)  # fmt: skip
CATALOGUE = str(engine.CATALOGUE)
