"""What comes before a start: a folder that can be written, formatted for KRaft, used by one."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import subprocess
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from stream_app.kafka.embedded import probe
from stream_app.kafka.embedded.config import HOST, SHORT_LIVED, Layout, jvm_arguments
from stream_app.kafka.embedded.errors import OWN_CLUSTER, BrokerError
from stream_app.kafka.embedded.runtime import Runtime, Say

FORMAT_SECONDS = 90.0
NEEDED_BYTES = 200 * 2**20


def java_command(
    runtime: Runtime, layout: Layout, heap: str, main: str, java: Sequence[str] = ()
) -> list[str]:
    return [str(runtime.java), *jvm_arguments(layout, heap), *java, main, str(layout.properties)]


def format_folder(
    runtime: Runtime,
    layout: Layout,
    say: Say,
    arguments: Sequence[str] = (),
    cluster: str | None = None,
) -> None:
    """Make the folder a cluster's; `arguments` go to Kafka's tool beside the usual ones.

    Without the id of a `cluster` it is a new one.
    """
    say(f"preparing the data folder {layout.root}")
    cluster = cluster or new_cluster_id()
    command = [
        str(runtime.java),
        *jvm_arguments(layout, "128m"),
        SHORT_LIVED,
        "kafka.tools.StorageTool",
        *("format", "--cluster-id", cluster, "--config", str(layout.properties)),
        *arguments,
    ]
    done = subprocess.run(
        command,
        env=os.environ | {"CLASSPATH": runtime.classpath},
        capture_output=True,
        text=True,
        timeout=FORMAT_SECONDS,
        check=False,
    )
    if done.returncode:
        shutil.rmtree(layout.logs, ignore_errors=True)
        complaint = " ".join((done.stderr or done.stdout).split())
        raise BrokerError(f"the data folder {layout.root} could not be prepared: {complaint[:400]}")


def new_cluster_id(draw: Callable[[], bytes] = lambda: uuid.uuid4().bytes) -> str:
    """A cluster's id from 16 random bytes; one that begins with a hyphen reads as an option."""
    while True:
        found = urlsafe_b64encode(draw()).decode().rstrip("=")
        if not found.startswith("-"):
            return found


def prepare_folder(layout: Layout) -> None:
    try:
        layout.root.mkdir(parents=True, exist_ok=True)
        layout.lock.touch()
        free = shutil.disk_usage(layout.root).free
    except OSError as error:
        reason = os.strerror(error.errno or errno.EIO)
        raise BrokerError(
            f"the data folder {layout.root} cannot be written: {reason}; "
            "choose another with --data-dir or STREAM_APP_BROKER_DIR"
        ) from error
    if free < NEEDED_BYTES:
        raise BrokerError(
            f"only {free // 2**20} MB are free for the data folder {layout.root}, "
            f"{NEEDED_BYTES // 2**20} MB are needed: free some, or choose another with --data-dir"
        )


@contextmanager
def locked(layout: Layout) -> Iterator[None]:
    """One start at a time on a data folder; whoever comes second finds the first one's broker."""
    with layout.lock.open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def port_taken(port: int) -> str:
    who = "a Kafka" if probe.answers(f"{HOST}:{port}", 3) else "another program"
    return (
        f"port {port} is taken by {who} that is not the broker of this data folder: choose "
        f"another with --port (0 takes any free one), {OWN_CLUSTER}"
    )
