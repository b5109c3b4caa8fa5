from __future__ import annotations

from pathlib import Path

import pytest
from support import image

#: Of the virtual environment that `make test-ops` makes.
TOOLS = image.ROOT / ".cache/ops/venv/bin"
#: Loaded by every Python that starts with its folder in PYTHONPATH: nothing but the folder for
#: temporary files can be written to, as in a container with a read-only root file system.
READ_ONLY = """
import errno, os, sys, tempfile

_ALLOWED = (os.path.realpath(tempfile.gettempdir()) + os.sep, "/dev/", "/proc/self/")
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_CHANGES = {"os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.truncate", "os.chmod"}

def _refuse(event, arguments):
    if event == "open" and not (arguments[2] or 0) & _WRITES:
        return
    if event != "open" and event not in _CHANGES:
        return
    path = arguments[0]
    if isinstance(path, int):
        return
    place = os.path.join(os.path.realpath(os.fsdecode(path)), "")
    if not place.startswith(_ALLOWED):
        raise OSError(errno.EROFS, "Read-only file system", path)

sys.addaudithook(_refuse)
"""


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the image has as /opt/stream-app, made by the steps of the stage `build`."""
    return image.build(tmp_path_factory.mktemp("image"))


@pytest.fixture(scope="session")
def tools() -> Path:
    return TOOLS


@pytest.fixture
def confined(tmp_path: Path) -> dict[str, str]:
    """An environment in which Python can write to a temporary folder only."""
    for name in ("hooks", "tmp"):
        (tmp_path / name).mkdir()
    (tmp_path / "hooks/sitecustomize.py").write_text(READ_ONLY)
    return {
        "PYTHONPATH": str(tmp_path / "hooks"),
        "TMPDIR": str(tmp_path / "tmp"),
        "HOME": str(tmp_path / "tmp"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PATH": "/usr/bin:/bin",
    }
