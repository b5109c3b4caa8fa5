"""The shop of the benchmark: what its events are made of, as JSON fragments chosen by number."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

CATEGORIES: Final = 40
ITEMS_PER_CATEGORY: Final = 125
ITEMS: Final = CATEGORIES * ITEMS_PER_CATEGORY

#: Type of an event and its share; purchases and refunds are 3.2 %.
MIX: Final = {
    "page_view": 0.380,
    "view_item": 0.290,
    "search": 0.080,
    "add_to_cart": 0.080,
    "remove_from_cart": 0.015,
    "add_to_wishlist": 0.018,
    "begin_checkout": 0.030,
    "view_promotion": 0.035,
    "select_promotion": 0.012,
    "share": 0.003,
    "login": 0.022,
    "sign_up": 0.003,
    "purchase": 0.030,
    "refund": 0.002,
}
TYPES: Final = tuple(MIX)
CLICK_TYPES: Final = len(TYPES) - 2
WITH_ITEM: Final = frozenset(
    ("view_item", "add_to_cart", "remove_from_cart", "add_to_wishlist", "share")
)

DEVICES: Final = ("mobile", "desktop", "tablet")
CHANNELS: Final = ("direct", "organic", "email", "paid", "social", "referral")
CITIES: Final = tuple(
    (country, region, city)
    for country, regions in {
        "US": {"OH": ("Columbus", "Cleveland"), "TX": ("Austin", "Dallas", "Houston")},
        "DE": {"BE": ("Berlin",), "BY": ("Munich", "Nuremberg"), "HH": ("Hamburg",)},
        "GB": {"ENG": ("London", "Leeds", "Bristol"), "SCT": ("Glasgow",)},
        "FR": {"IDF": ("Paris",), "PAC": ("Nice", "Marseille")},
    }.items()
    for region, cities in regions.items()
    for city in cities
)


def item_texts() -> list[str]:
    """Id, category and price of every item; items of a category lie next to each other."""
    prices = np.random.default_rng(1).lognormal(3.0, 0.9, ITEMS).clip(0.5, 900)
    return [
        f'"item_id":"sku-{item:05d}","item_category":"category-{item // ITEMS_PER_CATEGORY:02d}",'
        f'"price":{price:.2f}'
        for item, price in enumerate(prices.tolist())
    ]


def place_texts() -> list[str]:
    """Device, channel and city; numbered (device * channels + channel) * cities + city."""
    return [
        f'"device":"{device}","channel":"{channel}",'
        f'"country":"{country}","region":"{region}","city":"{city}"'
        for device in DEVICES
        for channel in CHANNELS
        for country, region, city in CITIES
    ]


def draw_items(users: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """An item for each user number (n,): seven in ten from one of his three categories."""
    n = len(users)
    own = (users * 3 + rng.integers(0, 3, n)) % CATEGORIES
    category = np.where(rng.random(n) < 0.7, own, rng.integers(0, CATEGORIES, n))
    return category * ITEMS_PER_CATEGORY + rng.integers(0, ITEMS_PER_CATEGORY, n)


def draw_places(users: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """A place for each user number (n,): his own city; mostly his own device and channel."""
    n = len(users)
    device = np.where(rng.random(n) < 0.9, users % 7 % 3, rng.integers(0, 3, n))
    channel = np.where(rng.random(n) < 0.8, users % 11 % 6, rng.integers(0, 6, n))
    return (device * len(CHANNELS) + channel) * len(CITIES) + users % len(CITIES)
