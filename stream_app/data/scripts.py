"""What happens in a session: scripts of steps such as `view_item:0`, drawn by weight.

The number after the colon says which item of the session a step is about.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.batch import CLICK_TYPES

#: Sessions that end without a basket, from shallow to deep: eager users draw further down.
BROWSING: Final = (
    (300, "page_view"),
    (120, "page_view page_view"),
    (90, "page_view view_item:0"),
    (40, "page_view view_promotion"),
    (100, "page_view view_item:0 view_item:1"),
    (60, "page_view search:0 view_item:0 view_item:1"),
    (25, "page_view view_item:0 share:0"),
    (40, "page_view view_promotion select_promotion view_item:0"),
    (30, "login page_view view_item:0 view_item:1 view_item:2"),
    (30, "page_view search:0 view_item:0 view_item:1 view_item:2 view_item:0"),
    (35, "page_view view_item:0 add_to_wishlist:0"),
    (55, "page_view view_item:0 add_to_cart:0"),
    (30, "page_view search:0 view_item:0 add_to_cart:0 view_item:1 add_to_cart:1"),
    (20, "login page_view view_item:0 add_to_cart:0 remove_from_cart:0"),
    (25, "login page_view view_item:0 add_to_cart:0 view_item:1 add_to_cart:1 begin_checkout"),
)
#: Sessions before a basket; its items are those of the basket.
BUYING: Final = (
    (15, "page_view view_item:0 view_item:1"),
    (10, "page_view view_promotion select_promotion view_item:0 add_to_cart:0"),
    (20, "page_view search:0 view_item:0 add_to_cart:0 view_item:1"),
    (20, "login page_view view_item:0 add_to_cart:0 view_item:1 add_to_cart:1"),
    (20, "login page_view view_item:0 add_to_cart:0 view_item:1 add_to_cart:1 begin_checkout"),
    (
        15,
        "login page_view search:0 view_item:0 add_to_cart:0 search:1 view_item:1 add_to_cart:1 "
        "view_item:2 add_to_cart:2 view_item:3 add_to_cart:3 remove_from_cart:2 begin_checkout",
    ),
)
SIGNING_UP: Final = ((1, "page_view sign_up page_view"),)

NO_ITEM: Final = -1


@dataclass(frozen=True, slots=True)
class Scripts:
    """Scripts of one table laid end to end: step i of script s is at `first[s] + i`."""

    weights: NDArray[np.float64]
    first: NDArray[np.int64]
    length: NDArray[np.int64]
    type: NDArray[np.uint8]
    item: NDArray[np.int64]


def _compile(table: tuple[tuple[int, str], ...]) -> Scripts:
    scripts = [text.split() for _, text in table]
    steps = [step.partition(":") for script in scripts for step in script]
    length = np.array([len(script) for script in scripts], np.int64)
    return Scripts(
        weights=np.array([weight for weight, _ in table], np.float64),
        first=np.cumsum(length) - length,
        length=length,
        type=np.array([CLICK_TYPES.index(name) for name, _, _ in steps], np.uint8),
        item=np.array([int(item) if item else NO_ITEM for _, _, item in steps], np.int64),
    )


BROWSING_SCRIPTS: Final = _compile(BROWSING)
BUYING_SCRIPTS: Final = _compile(BUYING)
SIGN_UP_SCRIPTS: Final = _compile(SIGNING_UP)
