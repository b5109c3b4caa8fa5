"""The parts of an explanation: what the models in use say of one user, in full. As JSON, and shown.

Moments are RFC 3339.
"""

from __future__ import annotations

from msgspec import Struct

from stream_app.domain.because import Because
from stream_app.domain.changes import TagValue
from stream_app.engine.reading import Plain


class InUse(Struct, frozen=True):
    """A model that is in use; `paused` says why it decides nothing, where that is so."""

    version: int
    state: str
    learned_until: str
    paused: str | None = None


class Held(Struct, frozen=True):
    """A tag that a user has; moments are RFC 3339."""

    value: TagValue
    confidence: float
    since: str
    valid_until: str | None


class Verdict(Struct, frozen=True):
    """What is common to learned tags: the tag as it is, and as the model in use would have it.

    Who is not `eligible` has the reasons in `because_not`. `would_be` is None both for no tag and
    where no model says anything, as `model` tells. Holds are not looked at.
    """

    tag: str
    model: InUse | None
    eligible: bool
    because_not: list[Because]
    now: Held | None
    would_be: TagValue


class Logit(Struct, frozen=True):
    """How a probability comes about: the logit of who is typical in all, and what families add.

    The sum is `value`; the probability is that of a * value + b, with `platt` (a, b).
    """

    typical: float
    typical_probability: float
    families: list[Because]
    value: float
    platt: tuple[float, float]


class Prediction(Struct, frozen=True):
    """A prediction; `edges` are its bands' or the one threshold, none while it is not known."""

    verdict: Verdict
    held_out: bool
    probability: float | None
    edges: dict[str, float]
    margin: float
    logit: Logit | None


class Distance(Struct, frozen=True):
    """How far a segment's centre is, in spreads."""

    segment: str
    label: str
    distance: float


class Trait(Struct, frozen=True):
    """A feature against the population's median, `spreads` from it; missing counts as typical."""

    feature: str
    value: float | None
    typical: float
    spreads: float


class Segment(Struct, frozen=True):
    """Where a user stands among segments; beyond `bound` from all is unusual.

    Who has a segment leaves it when another is nearer by the share `margin`.
    """

    verdict: Verdict
    distances: list[Distance]
    bound: float
    margin: float
    traits: list[Trait]


class Unusual(Struct, frozen=True):
    """How unusual a user is: at `threshold` and above, the tag is given.

    `because` are the features that are farthest from what is usual, whoever the user is.
    """

    verdict: Verdict
    score: float | None
    threshold: float | None
    because: list[Because]


class Explanation(Struct, frozen=True):
    """All that can be said of a user at a moment; moments are RFC 3339."""

    user_id: str
    partition: int
    at: str
    last_event: str
    features: dict[str, Plain]
    predictions: list[Prediction]
    segments: Segment | None
    unusual: Unusual | None
