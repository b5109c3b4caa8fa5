from __future__ import annotations

from pathlib import Path

import pytest
from support import image

#: Of the virtual environment that `make test-ops` makes.
TOOLS = image.ROOT / ".cache/ops/venv/bin"


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the image has as /opt/stream-app, made by the steps of the stage `build`."""
    return image.build(tmp_path_factory.mktemp("image"))


@pytest.fixture(scope="session")
def tools() -> Path:
    return TOOLS
