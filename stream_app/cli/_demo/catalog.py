"""The demo's catalogue: the one that ships, for a shop as small as the demo's."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path
from typing import Final

from stream_app.settings import Settings

#: Of some hundreds of households one in ten is too few to learn from; of all of them a trainer that
#: shares two cores with a replay would fall behind.
_RATE: Final = re.compile(r"^(\s+rate:) [0-9.]+$", re.MULTILINE)
_NOTE: Final = "# The catalogue `retail`, but four in ten are sampled: this shop is small.\n\n"


def small_shop(settings: Settings, folder: Path) -> str:
    """Return what to set `catalog` to; a catalogue that the user has chosen is used as it is."""
    if "catalog" in settings.model_fields_set:
        return settings.catalog
    shipped = resources.files("stream_app") / "catalogs" / f"{settings.catalog}.yaml"
    file = folder / "catalog.yaml"
    file.write_text(_NOTE + _RATE.sub(r"\1 0.4", shipped.read_text()))
    return str(file)
