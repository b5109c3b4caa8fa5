"""What a tag change gives as its reason."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

Operand = float | str | Sequence[float | str] | None


class Because(Struct, frozen=True, gc=False, omit_defaults=True):
    """A comparison as it came out: `feature op threshold` is a true statement about `value`.

    `op` is `> >= < <= == != in`, `not in`, `has` or `missing`; `value` is None when missing. JSON
    has none of the rest where None. Of models: `family` is what the feature is told as, together
    with others; `contribution` is what that adds to the logit of the probability beyond the
    population's mean; `reference` is the feature's value that is typical of the population. Of
    rules: `threshold_of` is what the threshold was worked out from where quantiles of all users are
    in it.
    """

    feature: str
    value: Operand
    op: str
    threshold: Operand
    contribution: float | None = None
    reference: float | None = None
    family: str | None = None
    threshold_of: str | None = None
