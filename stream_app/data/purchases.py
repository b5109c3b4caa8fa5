"""Baskets as purchase messages."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from stream_app.data.categories import CATEGORIES
from stream_app.data.clock import local_rfc3339
from stream_app.data.shop import Shop


def encode_purchases(shop: Shop, basket: NDArray[np.int64], names: list[str]) -> Iterator[bytes]:
    """The baskets at these positions as JSON; `names` are the user ids by household."""
    baskets = shop.baskets
    columns = zip(
        basket.tolist(),
        baskets.id[basket].tolist(),
        baskets.household[basket].tolist(),
        local_rfc3339(baskets.at[basket]),
        baskets.value[basket].tolist(),
        baskets.discount[basket].tolist(),
        baskets.first_line[basket].tolist(),
        baskets.first_line[basket + 1].tolist(),
        strict=True,
    )
    for position, number, household, at, value, discount, first, last in columns:
        coupon = baskets.coupon.get(position)
        redeemed = f'"coupon":"{coupon}",' if coupon else ""
        yield (
            f'{{"event_id":"purchase-{number}","type":"purchase","user_id":"{names[household]}",'
            f'"occurred_at":"{at}","transaction_id":"{number}","value":{value / 100},'
            f'"currency":"USD","discount":{discount / 100},{redeemed}"channel":"store",'
            f'"items":[{",".join(_items(shop, first, last))}]}}'
        ).encode()


def _items(shop: Shop, first: int, last: int) -> Iterator[str]:
    lines = shop.lines
    columns = zip(
        lines.item[first:last].tolist(),
        lines.category[first:last].tolist(),
        lines.price[first:last].tolist(),
        lines.quantity[first:last].tolist(),
        strict=True,
    )
    for item, category, price, quantity in columns:
        yield (
            f'{{"item_id":"{item}","item_category":"{CATEGORIES[category]}",'
            f'"price":{price / 100},"quantity":{quantity}}}'
        )
