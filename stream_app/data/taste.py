"""What stays the same about a user: device, hours, channel, home, drawn from seed and id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream_app.data.randomness import bits, choose, exponential, uniform

DEVICES: Final = ("mobile", "desktop", "tablet")
CHANNELS: Final = ("direct", "organic_search", "email", "paid_search", "social", "referral")
CITIES: Final = (
    ("US", "Ohio", "Cincinnati"),
    ("US", "Ohio", "Columbus"),
    ("US", "Kentucky", "Louisville"),
    ("US", "Indiana", "Indianapolis"),
    ("US", "Georgia", "Atlanta"),
    ("US", "Tennessee", "Nashville"),
    ("US", "Michigan", "Detroit"),
    ("US", "Virginia", "Richmond"),
    ("US", "West Virginia", "Charleston"),
    ("US", "Florida", "Orlando"),
    ("US", "New York", "New York"),
    ("CA", "Ontario", "Toronto"),
    ("GB", "England", "London"),
    ("DE", "Berlin", "Berlin"),
)
_DEVICE_WEIGHTS: Final = (58, 32, 10)
_CHANNEL_WEIGHTS: Final = (34, 26, 14, 10, 9, 7)
#: Nobody lives in the last four cities; people travel there.
_HOME_WEIGHTS: Final = (22, 17, 12, 11, 10, 9, 8, 6, 5, 0, 0, 0, 0, 0)
_TRAVEL_WEIGHTS: Final = (5, 5, 5, 5, 5, 5, 5, 5, 5, 20, 20, 8, 4, 3)
#: Centre of a user's browsing hours, local time: morning, noon, evening, late, night.
_HOURS: Final = (8.5, 12.5, 19.0, 21.5, 24.5)
_HOUR_WEIGHTS: Final = (16, 22, 36, 18, 8)
#: Each draw about a user has a number of its own, so adding one never changes the others.
_DEVICE, _CHANNEL, _HOME, _HOUR, _EAGER, _CURIOUS, _PLANS, _SIGN_UP, _SIGN_DAY = range(9)


@dataclass(frozen=True, slots=True)
class Tastes:
    """One entry a household, in the order of the ids given.

    `hour` is the centre of the browsing hours; `eager` in [-.5, .5) moves sessions towards the
    cart; `curious` are sessions a day without any purchase; `plans` the share of baskets that
    a session precedes; before `sign_up_day` (negative: before the data begins) nothing is clicked.
    """

    key: NDArray[np.uint64]
    device: NDArray[np.int64]
    channel: NDArray[np.int64]
    home: NDArray[np.int64]
    hour: NDArray[np.float64]
    eager: NDArray[np.float64]
    curious: NDArray[np.float64]
    plans: NDArray[np.float64]
    sign_up_day: NDArray[np.int64]


def draw_tastes(seed: int, ids: NDArray[np.int64]) -> Tastes:
    """The tastes of the households with these ids."""
    key = bits(seed, ids)
    late = uniform(key, _SIGN_UP) < 0.2
    return Tastes(
        key=key,
        device=choose(_DEVICE_WEIGHTS, uniform(key, _DEVICE)),
        channel=choose(_CHANNEL_WEIGHTS, uniform(key, _CHANNEL)),
        home=choose(_HOME_WEIGHTS, uniform(key, _HOME)),
        hour=np.array(_HOURS)[choose(_HOUR_WEIGHTS, uniform(key, _HOUR))],
        eager=uniform(key, _EAGER) - 0.5,
        curious=0.1 + 0.45 * exponential(key, _CURIOUS),
        plans=0.3 + 0.6 * uniform(key, _PLANS),
        sign_up_day=np.where(late, uniform(key, _SIGN_DAY) * 330, -1).astype(np.int64),
    )


def habit(
    usual: NDArray[np.int64], weights: tuple[int, ...], faithful: float, u: NDArray[np.float64]
) -> NDArray[np.int64]:
    """The usual choice with probability `faithful`, else one drawn by `weights`; one `u` each."""
    other = choose(weights, np.clip((u - faithful) / (1 - faithful), 0.0, 1.0 - 1e-12))
    return np.where(u < faithful, usual, other)


def device_of(tastes: Tastes, user: NDArray[np.int64], u: NDArray[np.float64]) -> NDArray[np.int64]:
    """Codes into DEVICES for sessions of the users at these positions."""
    return habit(tastes.device[user], _DEVICE_WEIGHTS, 0.8, u)


def channel_of(
    tastes: Tastes, user: NDArray[np.int64], u: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Codes into CHANNELS."""
    return habit(tastes.channel[user], _CHANNEL_WEIGHTS, 0.6, u)


def city_of(tastes: Tastes, user: NDArray[np.int64], u: NDArray[np.float64]) -> NDArray[np.int64]:
    """Codes into CITIES."""
    return habit(tastes.home[user], _TRAVEL_WEIGHTS, 0.97, u)
