"""Imported by every Python that finds it first: its wall clock is wrong by what a file says.

TEST_CLOCK_SKEW names a file of eight bytes: nanoseconds to add, signed, in native order. Other
clocks stay right, as they do on a machine whose wall clock is set.
"""

import mmap
import os
import struct
import time


def _skew(file: str) -> None:
    right, right_ns = time.time, time.time_ns
    with open(file, "rb") as opened:
        # A page that is shared with who writes the file: what is written counts from then on.
        shared = mmap.mmap(opened.fileno(), 8, prot=mmap.PROT_READ)

    def wrong_by() -> int:
        return int(struct.unpack("q", shared[:8])[0])

    time.time = lambda: right() + wrong_by() / 1e9
    time.time_ns = lambda: right_ns() + wrong_by()


if "TEST_CLOCK_SKEW" in os.environ:
    _skew(os.environ["TEST_CLOCK_SKEW"])
