"""Names of the models, and of their tags, that no prediction may have."""

from __future__ import annotations

from typing import Final

SEGMENTS: Final = "segments"
POPULATION: Final = "population"
UNUSUAL_BEHAVIOUR: Final = "unusual_behaviour"
RESERVED: Final = (SEGMENTS, POPULATION, UNUSUAL_BEHAVIOUR)
