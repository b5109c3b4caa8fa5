"""Platt scaling: two parameters that make scores honest, used only once they have proved to.

From: J. Platt, Probabilistic Outputs for Support Vector Machines, 1999, with the sign of a turned,
so that a = 1 and b = 0 change nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from stream_app.learning.measures import CLIP, Bools, Floats, losses

_STEPS: Final = 100
_CLOSE: Final = 1e-10
#: Keeps a step finite where all logits are equal, and a and b cannot be told apart.
_RIDGE: Final = 1e-12


@dataclass(frozen=True, slots=True)
class Platt:
    """sigmoid(a z + b) for the logit z of a score."""

    a: float = 1.0
    b: float = 0.0

    def apply(self, z: Floats) -> Floats:
        """Return the probabilities (n,) for logits (n,)."""
        return _sigmoid(self.a * z + self.b)

    def undo(self, p: Floats) -> Floats:
        """Return the logits (n,) that scores (n,), already scaled so, were made from."""
        return (logits(p) - self.b) / self.a


IDENTITY: Final = Platt()


@dataclass(frozen=True, slots=True)
class Scored:
    """A closed cohort as calibration needs it: the logits (n,) of sample time, outcomes (n,).

    Logits are those before any Platt scaling, as `Platt.undo` gives them.
    """

    at: int
    z: Floats
    y: Bools


def logits(p: Floats) -> Floats:
    """Return ln(p / (1 - p)), with p kept off 0 and 1."""
    clipped = np.clip(p, CLIP, 1 - CLIP)
    return np.log(clipped / (1 - clipped))


def fit(z: Floats, y: Bools) -> Platt | None:
    """Fit to logits (n,) and outcomes (n,); None for one class only.

    Regularised as by Platt: the targets are not 0 and 1 but what that many examples of a class
    allow to say, so that separable data do not drive a to infinity. None also where a is not
    positive: then the scores are no use, and turning them round would be no calibration.
    """
    positives, negatives = int(y.sum()), int((~y).sum())
    if not positives or not negatives:
        return None
    target = np.where(y, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    # As in the paper it starts from the base rate alone.
    theta = np.array([0.0, np.log((positives + 1) / (negatives + 1))])
    for _ in range(_STEPS):
        step = _newton(theta, z, target)
        theta, moved = _descend(theta, step, z, target)
        if moved < _CLOSE:
            break
    a, b = theta.tolist()
    return Platt(a, b) if a > 0 else None


def calibrate(cohorts: Sequence[Scored], horizon_ms: int, later: int = 3) -> Platt:
    """Return a scaling that lowered the log loss of the `later` newest cohorts, else IDENTITY.

    It is fitted on those that had closed before the first of these was sampled: cohorts whose
    horizons overlap share outcomes, and would confirm one another. So `cohorts`, by rising `at`,
    should reach back over more than a horizon and `later` cohorts.
    """
    tests = [cohort for cohort in cohorts[-later:] if len(cohort.y)]
    if not tests:
        return IDENTITY
    known = [cohort for cohort in cohorts if cohort.at + horizon_ms <= tests[0].at]
    if not known:
        return IDENTITY
    found = fit(*_joined(known))
    if found is None:
        return IDENTITY
    z, y = _joined(tests)
    better = losses(found.apply(z), y).mean() < losses(IDENTITY.apply(z), y).mean()
    return found if better else IDENTITY


def _joined(cohorts: Sequence[Scored]) -> tuple[Floats, Bools]:
    return np.concatenate([c.z for c in cohorts]), np.concatenate([c.y for c in cohorts])


def _sigmoid(z: Floats) -> Floats:
    # Beyond 700 the exponential overflows and the answer has long been 0.
    found: Floats = 1 / (1 + np.exp(-np.clip(z, -700, 700)))
    return found


def _cost(theta: Floats, z: Floats, target: Floats) -> float:
    """The cross entropy, computed without the logarithm of a vanishing probability."""
    f = theta[0] * z + theta[1]
    return float((np.logaddexp(0, f) - target * f).sum())


def _newton(theta: Floats, z: Floats, target: Floats) -> Floats:
    p = _sigmoid(theta[0] * z + theta[1])
    error, weight = p - target, p * (1 - p)
    gradient = np.array([error @ z, error.sum()])
    mixed = weight @ z
    hessian = np.array([[weight @ (z * z) + _RIDGE, mixed], [mixed, weight.sum() + _RIDGE]])
    step: Floats = -np.linalg.solve(hessian, gradient)
    return step


def _descend(theta: Floats, step: Floats, z: Floats, target: Floats) -> tuple[Floats, float]:
    """Halve the step until it lowers the cost; return where it leads and how far it went."""
    cost = _cost(theta, z, target)
    for _ in range(_STEPS):
        if _cost(theta + step, z, target) < cost:
            return theta + step, float(np.abs(step).max())
        step = step / 2
        if np.abs(step).max() < _CLOSE:
            break
    return theta, 0.0
