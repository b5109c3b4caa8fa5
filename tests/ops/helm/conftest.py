from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from support import chart


@pytest.fixture
def render(tmp_path: Path) -> Callable[..., list[chart.Manifest]]:
    """`chart.render` with a folder of its own."""
    return partial(chart.render, tmp_path)
