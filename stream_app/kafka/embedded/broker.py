"""EmbeddedKafka: a real Apache Kafka on this machine, for demos, development and tests."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from stream_app.kafka.embedded import probe, process
from stream_app.kafka.embedded.config import (
    HOST,
    Layout,
    More,
    Seat,
    default_data_dir,
    write_config,
)
from stream_app.kafka.embedded.errors import BrokerError, why_it_died
from stream_app.kafka.embedded.guard import Guard
from stream_app.kafka.embedded.prepare import (
    format_folder,
    java_command,
    locked,
    port_taken,
    prepare_folder,
)
from stream_app.kafka.embedded.process import Child, Running
from stream_app.kafka.embedded.runtime import Say, find_runtime

DEFAULT_PORT = 9092
DEFAULT_HEAP = "1g"
START_SECONDS = 90.0


class EmbeddedKafka:
    """A one-node Kafka on 127.0.0.1; `with` starts it and stops it again.

    `data_dir` keeps its data (default: the user's state folder). `port` None means the port of
    a broker that already runs on that folder, else 9092; 0 means any free port. A broker that
    runs already is used as it is and left running (`owned` is False). `heap` is the JVM's
    greatest heap. With `bound` the broker dies with this process, however that ends. `guard` adds
    listeners with TLS and logins, and rights; `fronts` plain ones by name, each with the port that
    clients are told instead of its own: of a proxy, which finds the broker by `servers_of`.
    `seat` is its place in a cluster (see `cluster`), `settings` go to server.properties, `java`
    to the JVM.
    `say` gets lines of progress. `start` raises BrokerError with what to do.
    """

    def __init__(
        self,
        data_dir: Path | None = None,
        port: int | None = None,
        *,
        heap: str = DEFAULT_HEAP,
        bound: bool = True,
        guard: Guard | None = None,
        fronts: Mapping[str, int] | None = None,
        seat: Seat | None = None,
        settings: Mapping[str, str] | None = None,
        java: Sequence[str] = (),
        say: Say = lambda line: None,
    ) -> None:
        self.data_dir = (data_dir or default_data_dir()).expanduser().resolve()
        self.owned = False
        self._asked_port = port
        self._heap = heap
        self._bound = bound
        self._guard = guard or Guard(())
        self._fronts = fronts or {}
        self._seat = seat
        self._settings = settings or {}
        self._java = java
        self._ports: dict[str, int] = {}
        self._say = say
        self._layout = Layout(self.data_dir)
        self._running: Running | None = None
        self._child: Child | None = None

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
    def pid(self) -> int:
        return self._known().pid

    @property
    def port(self) -> int:
        return self._known().port

    @property
    def bootstrap_servers(self) -> str:
        return self._known().bootstrap_servers

    def servers_of(self, listener: str) -> str:
        """The address of one of the listeners of guard or fronts."""
        self._known()
        return f"{HOST}:{self._ports[listener]}"

    @property
    def log(self) -> Path:
        """Where the broker logs its warnings and errors."""
        return self._layout.log

    @property
    def stays(self) -> bool:
        """Whether it goes on without this process: detached, or started by another."""
        return not (self.owned and self._bound)

    @property
    def alive(self) -> bool:
        return self._running is not None and process.is_ours(self._running.pid, self._layout)

    def start(self) -> Self:
        """Start, or find the one that runs; returns when it answers a client."""
        prepare_folder(self._layout)
        with locked(self._layout):
            self._running = process.find_running(self._layout)
            if self._running:
                self._check_reused(self._running)
            else:
                self._launch()
        return self

    def stop(self) -> None:
        """A clean stop, bounded in time; does nothing to a broker that was only reused."""
        if self.owned and self._running:
            process.end(self._running, self._layout)
            self._reap()

    def kill(self) -> None:
        """End it at once, as a crash or a power cut of the process would."""
        process.kill(self._known(), self._layout)
        self._reap()

    def freeze(self) -> None:
        """Stop the process where it is (SIGSTOP): connections stay open, nothing answers."""
        os.kill(self._checked_pid(), signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen process go on."""
        os.kill(self._checked_pid(), signal.SIGCONT)

    def restart(self) -> None:
        """Stop if it still runs, and start again on the same port and data."""
        port = self.port
        self.stop()
        self._asked_port = port
        self.start()

    def wait(self) -> int:
        """Block until the broker ends; its exit code, 0 for a broker started elsewhere."""
        while self.alive:
            time.sleep(0.2)
        return self._child.popen.wait() if self._child else 0

    def _known(self) -> Running:
        if self._running is None:
            raise BrokerError("the embedded broker has not been started")
        return self._running

    def _checked_pid(self) -> int:
        if not self.alive:
            raise BrokerError("the embedded broker is not running")
        return self._known().pid

    def _check_reused(self, running: Running) -> None:
        if self._asked_port not in (None, 0, running.port):
            raise BrokerError(
                f"a broker (pid {running.pid}) already runs on {self.data_dir} with port "
                f"{running.port}, not {self._asked_port}: leave the port out to use it, stop it "
                "with `stream-app broker --stop`, or choose another --data-dir"
            )
        answering = probe.cluster_of(running.bootstrap_servers, 10)
        if answering is None or answering != self._layout.cluster:
            raise BrokerError(
                f"the broker that runs on {self.data_dir} (pid {running.pid}) does not answer: "
                "end it with `stream-app broker --stop` and start again"
            )
        self._say(f"using the broker that already runs on {running.bootstrap_servers}")

    def _launch(self) -> None:
        runtime = find_runtime(self._say)
        port = self._asked_port if self._asked_port is not None else DEFAULT_PORT
        if port and not probe.is_free(port):
            raise BrokerError(port_taken(port))
        port = port or probe.free_port()
        write_config(self._layout, port, probe.free_port(), self._more(), self._seat)
        for old in (self._layout.log, self._layout.output):
            old.unlink(missing_ok=True)
        if not self._layout.formatted:
            cluster = self._seat.cluster if self._seat else None
            format_folder(runtime, self._layout, self._say, self._guard.scram(), cluster)
        self._say(f"starting Apache Kafka on {HOST}:{port}")
        command = java_command(runtime, self._layout, self._heap, "kafka.Kafka", self._java)
        self._child = process.launch(
            command, self._layout.output, {"CLASSPATH": runtime.classpath}, bound=self._bound
        )
        self._running = Running(self._child.pid, port)
        self.owned = True
        try:
            process.remember(self._layout, self._running)
            self._await_ready()
        except BaseException:
            self.stop()
            raise

    def _more(self) -> More:
        for name in (*(listener.name for listener in self._guard.listeners), *self._fronts):
            self._ports.setdefault(name, probe.lasting_ports(1)[0])
        more = self._guard.more(self._ports) if self._guard.listeners else More()
        more = replace(more, settings=dict(more.settings) | dict(self._settings))
        return more.behind(self._fronts, self._ports)

    def _await_ready(self) -> None:
        running, deadline = self._known(), time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._child and self._child.exit_code is not None:
                raise BrokerError(self._failed(f"ended with exit code {self._child.exit_code}"))
            if probe.accepts(running.port):
                answering = probe.cluster_of(running.bootstrap_servers)
                if answering is not None and answering != self._layout.cluster:
                    # Another took the port after we had seen that it was free; ours cannot.
                    raise BrokerError(port_taken(running.port))
                if answering is not None:
                    return
            time.sleep(0.05)
        raise BrokerError(self._failed(f"did not answer within {START_SECONDS:.0f} s"))

    def _failed(self, what: str) -> str:
        reason = why_it_died(self._layout.log, self._layout.output)
        return f"the embedded broker {what}: {reason or 'no reason given'} (see {self._layout.log})"

    def _reap(self) -> None:
        if self._child:
            self._child.reap(process.GRACE_SECONDS)
            self._child = None
