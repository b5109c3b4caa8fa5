"""The wall clock of a running program is set; its other clocks are not."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from support.skew import Skew

#: Tells both clocks for each line that it is told.
PROGRAM = """
import sys, time
from time import time_ns
for line in sys.stdin:
    print(time.time(), time_ns() / 1e9, time.monotonic(), flush=True)
"""


def test_jumps_are_seen_at_once_by_the_wall_clock_alone(tmp_path: Path) -> None:
    skew = Skew(tmp_path / "skew")
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        env=os.environ | skew.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with program:
        assert program.stdin
        assert program.stdout
        for hours in (0, 5, -7, 0):
            skew.set(hours * 3_600)
            program.stdin.write("tell\n")
            program.stdin.flush()
            told = list(map(float, program.stdout.readline().split()))
            right = time.time() + hours * 3_600, time.time() + hours * 3_600, time.monotonic()
            assert all(abs(a - b) < 60 for a, b in zip(told, right, strict=True)), (hours, told)
        program.stdin.close()
