"""What a process uses."""

from __future__ import annotations

import re
from pathlib import Path

from support.worker import Worker


def peak_mb(worker: Worker) -> float:
    """The largest resident size (MB) that a worker has had so far."""
    status = Path(f"/proc/{worker.pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found
    return int(found[1]) / 1024
