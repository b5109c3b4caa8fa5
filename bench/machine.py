"""What figures were measured on: machine, versions, seed, date, sizes."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from bench.events import SEED

_PACKAGES: Final = (
    "stream-app",
    "faust-streaming",
    "aiokafka",
    "numpy",
    "orjson",
    "msgspec",
    "uvloop",
)


def about(kafka: str, date: str, sizes: Mapping[str, Any]) -> dict[str, Any]:
    """What the figures were measured on; `date` is RFC 3339."""
    return {
        "machine": {
            "processor": _processor(),
            "cores": _cores(),
            "memory_gb": _memory_gb(),
            "system": f"{platform.system()} {platform.release()}",
        },
        "versions": {
            "python": platform.python_version(),
            "kafka": kafka,
            **{name: metadata.version(name) for name in _PACKAGES},
        },
        "seed": SEED,
        "date": date,
        "sizes": dict(sizes),
    }


def _processor() -> str:
    for line in _lines(Path("/proc/cpuinfo")):
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory_gb() -> float | None:
    for line in _lines(Path("/proc/meminfo")):
        if line.startswith("MemTotal"):
            return round(int(line.split()[1]) / 2**20, 1)
    return None


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []
