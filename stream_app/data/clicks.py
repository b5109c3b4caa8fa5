"""Sessions unfolded into click events, and click events into our messages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream_app.data import sessions as draw
from stream_app.data.categories import CATEGORIES
from stream_app.data.clock import local_rfc3339
from stream_app.data.past import Past
from stream_app.data.randomness import exponential, uniform
from stream_app.data.scripts import BUYING_SCRIPTS, NO_ITEM
from stream_app.data.sessions import Sessions
from stream_app.data.shop import Shop
from stream_app.data.taste import (
    CHANNELS,
    CITIES,
    DEVICES,
    Tastes,
    channel_of,
    city_of,
    device_of,
)
from stream_app.domain.batch import CLICK_TYPES

#: One click; `line` is the sold line that the item comes from, `channel` and `city` are set on a
#: session's first event only, and -1 is none.
CLICK: Final = np.dtype(
    [
        ("at", "i8"),
        ("session", "u8"),
        ("user", "i4"),
        ("line", "i4"),
        ("promotion", "i4"),
        ("step", "i2"),
        ("type", "u1"),
        ("device", "i1"),
        ("channel", "i1"),
        ("city", "i1"),
    ]
)
#: Share of the items of a session that the household has bought before.
FAMILIAR: Final = 0.6
MEAN_GAP_S: Final = 30
MAX_GAP_S: Final = 600

_SEARCH: Final = CLICK_TYPES.index("search")
_PROMOTIONS: Final = [CLICK_TYPES.index(name) for name in ("view_promotion", "select_promotion")]
_IN_CART: Final = frozenset(CLICK_TYPES.index(name) for name in ("add_to_cart", "remove_from_cart"))
_PLACES: Final = [
    [
        f',"channel":"{channel}","country":"{country}","region":"{region}","city":"{city}"'
        for country, region, city in CITIES
    ]
    for channel in CHANNELS
]


def unfold(
    of: Sessions, day: int, shop: Shop, tastes: Tastes, past: Past, promotion: NDArray[np.int64]
) -> NDArray[np.void]:
    """All events of the sessions, (n,) of CLICK; `promotion` is what each household is sent."""
    length = of.scripts.length[of.script]
    session = np.repeat(np.arange(len(of.key)), length)
    step = np.arange(len(session)) - np.repeat(np.cumsum(length) - length, length)
    position = of.scripts.first[of.script][session] + step
    clicks = np.zeros(len(session), CLICK)
    clicks["session"] = of.key[session]
    clicks["user"] = of.user[session]
    clicks["step"] = step
    clicks["type"] = of.scripts.type[position]
    clicks["at"] = of.start[session] + _elapsed_ms(of.key[session], step)
    clicks["line"] = _line(of, session, of.scripts.item[position], day, shop, past)
    promoted = np.isin(clicks["type"], _PROMOTIONS)
    clicks["promotion"] = np.where(promoted, promotion[of.user[session]], -1)
    key, user = of.key, of.user
    clicks["device"] = device_of(tastes, user, uniform(key, draw.DEVICE))[session]
    channel = channel_of(tastes, user, uniform(key, draw.CHANNEL))[session]
    city = city_of(tastes, user, uniform(key, draw.CITY))[session]
    clicks["channel"] = np.where(step == 0, channel, -1)
    clicks["city"] = np.where(step == 0, city, -1)
    known = (clicks["line"] >= 0) | (of.scripts.item[position] == NO_ITEM)
    return np.asarray(clicks[known])


def _elapsed_ms(key: NDArray[np.uint64], step: NDArray[np.int64]) -> NDArray[np.int64]:
    """Time since the session began: gaps of 3 to 600 s, in whole seconds."""
    gap = 3 + np.minimum(exponential(key, draw.GAP + step) * MEAN_GAP_S, MAX_GAP_S - 3)
    gap = np.where(step == 0, 0, gap.astype(np.int64))
    total = np.cumsum(gap)
    begin = np.maximum.accumulate(np.where(step == 0, np.arange(len(step)), 0))
    return (total - total[begin]) * 1000 if len(step) else total


def _line(
    of: Sessions,
    session: NDArray[np.int64],
    item: NDArray[np.int64],
    day: int,
    shop: Shop,
    past: Past,
) -> NDArray[np.int64]:
    """The sold line behind each step: of the basket that follows, else from the past; else -1."""
    key, user, basket = of.key[session], of.user[session], of.basket[session]
    u = uniform(key, draw.ITEM + item)
    if of.scripts is BUYING_SCRIPTS:
        first = shop.baskets.first_line[basket]
        line = first + (u * (shop.baskets.first_line[basket + 1] - first)).astype(np.int64)
    else:
        line = past.own_line(day, user, u)
        familiar = (line >= 0) & (uniform(key, draw.OWN + item) < FAMILIAR)
        line = np.where(familiar, line, past.any_line(day, u))
    return np.where(item == NO_ITEM, -1, line)


def encode_clicks(clicks: NDArray[np.void], shop: Shop, names: list[str]) -> Iterator[bytes]:
    """Clicks as JSON, in the order given; `names` are the user ids by position."""
    line = np.maximum(clicks["line"], 0)
    columns = zip(
        clicks["session"].tolist(),
        clicks["step"].tolist(),
        clicks["type"].tolist(),
        clicks["user"].tolist(),
        local_rfc3339(clicks["at"]),
        clicks["device"].tolist(),
        clicks["channel"].tolist(),
        clicks["city"].tolist(),
        clicks["line"].tolist(),
        clicks["promotion"].tolist(),
        shop.lines.item[line].tolist(),
        shop.lines.category[line].tolist(),
        shop.lines.price[line].tolist(),
        strict=True,
    )
    for (
        session,
        step,
        kind,
        user,
        at,
        device,
        channel,
        city,
        sold,
        promotion,
        item,
        category,
        price,
    ) in columns:
        rest = _PLACES[channel][city] if channel >= 0 else ""
        if sold >= 0:
            rest += _about(kind, item, CATEGORIES[category], price)
        elif promotion >= 0:
            rest += f',"promotion_id":"{_promotion_name(promotion)}"'
        yield (
            f'{{"event_id":"{session:016x}-{step}","type":"{CLICK_TYPES[kind]}",'
            f'"user_id":"{names[user]}","occurred_at":"{at}","session_id":"{session:016x}",'
            f'"device":"{DEVICES[device]}"{rest}}}'
        ).encode()


def _about(kind: int, item: int, category: str, price: int) -> str:
    if kind == _SEARCH:
        return f',"search_term":"{category}"'
    quantity = ',"quantity":1' if kind in _IN_CART else ""
    return (
        f',"item_id":"{item}","item_category":"{category}","price":{price / 100},'
        f'"currency":"USD"{quantity}'
    )


def _promotion_name(promotion: int) -> str:
    """Campaigns of the data set by their number; above 1,000 the flyer of a week."""
    return f"weekly-{promotion - 1000}" if promotion >= 1000 else f"campaign-{promotion}"
