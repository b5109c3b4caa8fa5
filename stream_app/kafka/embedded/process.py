"""The broker's process: started, found again by its pid file, and ended by its own pid."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from stream_app.kafka.embedded.config import HOST, Layout
from stream_app.kafka.embedded.errors import BrokerError

GRACE_SECONDS = 15.0
_SUPERVISOR = Path(__file__).with_name("supervise.py")


@dataclass(frozen=True)
class Running:
    """A broker that runs on a data folder."""

    pid: int
    port: int

    @property
    def bootstrap_servers(self) -> str:
        return f"{HOST}:{self.port}"


def find_running(layout: Layout) -> Running | None:
    """The broker that the pid file names, if that process lives and is the broker of this folder.

    A pid is given away again after a crash, so the process's command must name our settings.
    """
    try:
        running = Running(**json.loads(layout.pid_file.read_text()))
    except (OSError, ValueError, TypeError):
        return None
    return running if is_ours(running.pid, layout) else None


def remember(layout: Layout, running: Running) -> None:
    """Write the pid file, whole or not at all."""
    draft = layout.pid_file.with_suffix(".new")
    draft.write_text(json.dumps(asdict(running)))
    draft.replace(layout.pid_file)


def is_ours(pid: int, layout: Layout) -> bool:
    return str(layout.properties) in _command_of(pid)


def _command_of(pid: int) -> list[str]:
    """The arguments of a live process; empty when there is none or it is a zombie."""
    proc = Path("/proc")
    if (proc / "self").exists():
        return _from_proc(proc / str(pid))
    shown = subprocess.run(
        ["/bin/ps", "-ww", "-o", "command=", "-p", str(pid)],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    # `ps` joins the arguments; the settings file is the last one and its path may hold blanks.
    return [shown, shown[shown.find("kafka.Kafka ") + len("kafka.Kafka ") :]]


def _from_proc(folder: Path) -> list[str]:
    for _ in range(50):
        try:
            command = (folder / "cmdline").read_bytes()
            zombie = (folder / "stat").read_text().rpartition(")")[2].split()[0] in "ZX"
        except OSError:
            return []
        if command or zombie:
            return [] if zombie else command.decode(errors="replace").split("\0")
        # Between fork and the end of exec a live process shows no command for a moment.
        time.sleep(0.002)
    return []


@dataclass
class Child:
    """A process started here: the broker itself, or its supervisor that reports its pid."""

    pid: int
    popen: subprocess.Popen[bytes]

    @property
    def exit_code(self) -> int | None:
        return self.popen.poll()

    def reap(self, seconds: float) -> None:
        """Collect the exit of a broker that was ended, and let its supervisor go."""
        if self.popen.stdin:
            self.popen.stdin.close()
        if self.popen.stdout:
            self.popen.stdout.close()
        self.popen.wait(seconds)


def launch(command: Sequence[str], output: Path, env: Mapping[str, str], *, bound: bool) -> Child:
    """Start a command in a session of its own, so that Ctrl-C reaches us and not it.

    Its output is appended to `output`; `env` adds to the environment. `bound`: it dies with this
    process, by a supervisor that watches a pipe (which works on Linux and macOS alike, and also
    when this process is killed).
    """
    if bound:
        command = [sys.executable, "-I", "-S", str(_SUPERVISOR), str(GRACE_SECONDS), *command]
    with output.open("ab") as errors:
        popen = subprocess.Popen(
            command,
            stdin=subprocess.PIPE if bound else subprocess.DEVNULL,
            stdout=subprocess.PIPE if bound else errors,
            stderr=errors,
            env=os.environ | env,
            start_new_session=True,
        )
    if not bound:
        return Child(popen.pid, popen)
    assert popen.stdout is not None
    line = popen.stdout.readline()
    if not line.strip():
        raise BrokerError(f"{command[0]} could not be started: {output.read_text()[-400:]!r}")
    return Child(int(line), popen)


def end(running: Running, layout: Layout, grace: float = GRACE_SECONDS) -> None:
    """SIGTERM, a bounded wait, then SIGKILL; only ever to a process that is our broker."""
    pid = running.pid
    if is_ours(pid, layout):
        _signal(pid, signal.SIGCONT)
        _signal(pid, signal.SIGTERM)
        if not _gone(pid, layout, grace):
            _signal(pid, signal.SIGKILL)
            _gone(pid, layout, grace)
    layout.pid_file.unlink(missing_ok=True)


def kill(running: Running, layout: Layout) -> None:
    """SIGKILL, as a crash would be; returns when the process is gone."""
    if is_ours(running.pid, layout):
        _signal(running.pid, signal.SIGKILL)
        _gone(running.pid, layout, GRACE_SECONDS)


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _gone(pid: int, layout: Layout, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while is_ours(pid, layout):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def running_on(data_dir: Path) -> Running | None:
    """The broker that runs on this data folder, whoever started it."""
    return find_running(Layout(data_dir.resolve()))


def stop_on(data_dir: Path) -> Running | None:
    """End the broker that runs on this data folder; returns it, or None when there was none."""
    layout = Layout(data_dir.resolve())
    running = find_running(layout)
    if running:
        end(running, layout)
    return running
