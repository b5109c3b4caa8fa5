"""What was learned while the demo went on: its models as tables."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from rich.console import RenderableType

from stream_app.cli._demo.place import Place
from stream_app.cli.models import listed, table
from stream_app.kafka.models import ModelsError, published


def learned_tables(place: Place) -> Iterator[RenderableType]:
    """Yield what is known of segments and predictions by now."""
    try:
        found = asyncio.run(published(place.settings))
    except ModelsError:
        yield "Nothing is learned yet: a horizon has to pass first."
        return
    yield table([row for row in listed(found) if row.in_use])
