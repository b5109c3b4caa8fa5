"""One-dimensional arrays that grow: a column of something by number."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def grown(array: NDArray[Any], n: int) -> NDArray[Any]:
    """Return `array`, or a longer copy of it where it has no room for `n` elements.

    What is new is not filled: pages that nobody wrote to take no memory.
    """
    if n <= len(array):
        return array
    longer = np.empty(max(1_024, 2 * n), dtype=array.dtype)
    longer[: len(array)] = array
    return longer
