"""What is to be learned → the tags that models decide."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from stream_app.domain.clock import DAY
from stream_app.domain.source import Node
from stream_app.learning.declaration import Bands, Learning, Segmentation, Task, Unusual
from stream_app.learning.tasks import SEGMENTS, UNUSUAL_BEHAVIOUR
from stream_app.tagging import Learned, TagDeclaration
from stream_app.tagging.declarations import revision

#: The bands of a prediction, from low to high.
BANDS: Final = ("low", "mid", "high", "top")
#: Least time (ms) in a segment.
SEGMENT_HOLD_MS: Final = DAY
#: Least time (ms) with and without the flag of unusual behaviour, and how long it lasts; it is
#: renewed while the model says the same.
UNUSUAL_HOLD_MS: Final = DAY
UNUSUAL_EXPIRES_MS: Final = 7 * DAY


def learned_tags(
    learning: Learning, node: Node, taken: Collection[str]
) -> dict[str, TagDeclaration]:
    """The tags of `learning`, read from `node`; `taken` are the names of the rules' tags.

    Raises DeclarationError where the segments' tag has the name of another one.
    """
    predictions, segments, unusual = map(node.get, ("predictions", "segments", "unusual"))
    given = dict(predictions.items()) if predictions else {}
    found = {task.name: _prediction(task, given[task.name]) for task in learning.tasks}
    if learning.segmentation is not None and segments is not None:
        if SEGMENTS in found or SEGMENTS in taken:
            raise segments.error(f"a tag {SEGMENTS!r} is declared already", "another name for it")
        found[SEGMENTS] = _segments(learning.segmentation, segments)
        if learning.unusual is not None and unusual is not None:
            found[UNUSUAL_BEHAVIOUR] = _unusual(learning.unusual, learning.segmentation, unusual)
    return found


def _prediction(task: Task, node: Node) -> TagDeclaration:
    bands = BANDS if isinstance(task.form, Bands) else ()
    return TagDeclaration(
        name=task.name,
        cls="prediction",
        description=task.description,
        form=Learned("model", bands, task.among, frozenset(task.features)),
        hold_ms=0,
        # What was foretold for a time says nothing after it.
        expires_ms=task.horizon_ms,
        revision=revision(node),
    )


def _segments(segmentation: Segmentation, node: Node) -> TagDeclaration:
    return TagDeclaration(
        name=SEGMENTS,
        cls="segment",
        description="The segment of users who are alike.",
        form=Learned("segment", (), segmentation.among, frozenset(segmentation.features)),
        hold_ms=SEGMENT_HOLD_MS,
        expires_ms=0,
        revision=revision(node),
    )


def _unusual(declared: Unusual, segmentation: Segmentation, node: Node) -> TagDeclaration:
    return TagDeclaration(
        name=UNUSUAL_BEHAVIOUR,
        cls="prediction",
        description=declared.description or "Behaves unlike all others.",
        form=Learned("model", (), segmentation.among, frozenset(declared.features)),
        hold_ms=UNUSUAL_HOLD_MS,
        expires_ms=UNUSUAL_EXPIRES_MS,
        revision=revision(node),
    )
