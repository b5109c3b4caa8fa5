"""The packages that only reports need, and what to say where they are not installed."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final

_NEEDED: Final = {"matplotlib": "matplotlib", "sklearn": "scikit-learn"}


class MissingExtra(Exception):
    """The extra `report` is not installed; the message says how to install it."""


def require_extra() -> None:
    """Raise MissingExtra unless a report can be written; to be called before the work."""
    missing = [package for module, package in _NEEDED.items() if find_spec(module) is None]
    if missing:
        raise MissingExtra(
            f"a report needs {' and '.join(missing)}: pip install 'stream-app[report]'"
        )
