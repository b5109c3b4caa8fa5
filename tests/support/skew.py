"""Processes of this project whose wall clock is set while they run."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Final

from support.worker import ROOT

FOLDER: Final = Path(__file__).with_name("skewed")


class Skew:
    """How wrong a clock is, kept in `file`. It is right at first."""

    def __init__(self, file: Path) -> None:
        self._file = file
        file.write_bytes(struct.pack("q", 0))

    @property
    def environment(self) -> dict[str, str]:
        """Variables for the processes that are to go by it, those that they start included."""
        return {"PYTHONPATH": f"{FOLDER}:{ROOT}", "TEST_CLOCK_SKEW": str(self._file)}

    def set(self, seconds: float) -> None:
        """Set the clock to so many seconds after the right time; negative is before."""
        with self._file.open("r+b", buffering=0) as file:
            file.write(struct.pack("q", int(seconds * 1e9)))
