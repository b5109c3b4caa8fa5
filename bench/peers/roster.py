"""Who takes part: how each is started, and what it guarantees by its own documents."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
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
    `events` is the backlog for measuring, chosen so that it takes some twenty seconds, thirty where
    commits are five apart; `wave` is one with a kill in it, long enough for a commit to come
    before. One that does not survive a kill keeps no state, so that none is tried.
    """

    name: str
    title: str
    environment: str
    command: Callable[[Plan], list[str]]
    events: int
    wave: int
    prepare: Callable[[Plan], list[str]] | None = None
    extra: Mapping[str, str] = field(default_factory=dict)
    survives: bool = True

    def arguments(self, plan: Plan) -> list[str]:
        """The whole command."""
        return [python(self.environment), *self.command(plan)]

    def variables(self, plan: Plan, lane: Lane) -> dict[str, str]:
        """What its process is told."""
        if self.name == "stream_app":
            return lane.environment() | _ours(plan) | {"STREAM_APP_HTTP_PORT": str(free_port())}
        return plan.environment() | dict(self.extra)


def _ours(plan: Plan) -> dict[str, str]:
    """A shorter session, and the time to drain that it allows; else nothing but defaults."""
    if not plan.session_s:
        return {}
    return {
        "STREAM_APP_SESSION_TIMEOUT_S": str(plan.session_s),
        "STREAM_APP_DRAIN_TIMEOUT_S": str(plan.session_s / 2),
    }


def _module(name: str) -> Callable[[Plan], list[str]]:
    return lambda _: ["-m", f"bench.peers.contenders.{name}"]


def _recovery(plan: Plan) -> str:
    return str(Path(plan.folder) / "recovery")


def _bytewax(*more: str) -> Callable[[Plan], list[str]]:
    flow = "bench.peers.contenders.bytewax_flow:flow"
    return lambda plan: ["-m", "bytewax.run", flow, *(m.format(_recovery(plan)) for m in more)]


_SAFE, _FAST = {"PEERS_MODE": "safe"}, {"PEERS_MODE": "fast"}
_FLINK = {"PEERS_FLINK_JARS": ";".join(jar.as_uri() for jar in JARS)}

#: Each first with the guarantee nearest to ours, then as fast as its documents allow.
CONTENDERS = (
    Contender(
        "stream_app", "stream_app", "",
        lambda _: ["-m", "stream_app", "worker", "--no-restart"], 900_000, 60_000,
    ),
    Contender(
        "faust", "Faust, exactly once", "", _module("stock_faust"), 60_000, 12_000, extra=_SAFE,
    ),
    Contender(
        "faust_fast", "Faust, at least once", "", _module("stock_faust"), 60_000, 12_000,
        extra=_FAST,
    ),
    Contender(
        "quix", "Quix Streams, exactly once", "quix", _module("quix_streams"), 240_000,
        50_000, extra=_SAFE,
    ),
    Contender(
        "quix_fast", "Quix Streams, at least once, no changelog", "quix", _module("quix_streams"),
        150_000, 50_000, extra=_FAST,
    ),
    Contender(
        "bytewax", "Bytewax, snapshots", "bytewax", _bytewax("-r", "{}", "-s", "10", "-b", "0"),
        500_000, 75_000, prepare=lambda plan: ["-m", "bytewax.recovery", _recovery(plan), "1"],
    ),
    Contender(
        "bytewax_fast", "Bytewax, no recovery", "bytewax", _bytewax(), 500_000, 75_000,
        survives=False,
    ),
    Contender(
        "flink", "PyFlink, exactly once", "flink", _module("py_flink"), 140_000, 35_000,
        extra=_SAFE | _FLINK,
    ),
    Contender(
        "flink_fast", "PyFlink, no checkpoints", "flink", _module("py_flink"), 100_000, 35_000,
        extra=_FAST | _FLINK, survives=False,
    ),
)  # fmt: skip
CATALOGUE = str(engine.CATALOGUE)
