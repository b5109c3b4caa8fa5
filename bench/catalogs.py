"""The catalogue that workers run where learning is not what is measured."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import yaml


def rules_only(folder: Path) -> str:
    """Write the retail catalogue without its section `learning:`; return the file's name."""
    shipped = resources.files("stream_app") / "catalogs" / "retail.yaml"
    catalogue = yaml.safe_load(shipped.read_text())
    del catalogue["learning"]
    file = folder / "rules_only.yaml"
    file.write_text(yaml.safe_dump(catalogue, sort_keys=False))
    return str(file)
