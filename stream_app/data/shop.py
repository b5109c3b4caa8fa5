"""The shop's tables in columns: households, baskets, their lines, products and campaigns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream_app.data.categories import CATEGORIES, category_of
from stream_app.data.clock import day_of
from stream_app.data.tables import Table, read_tables

#: Above this the quantity is not in pieces (fuel is sold by volume) and counts as one.
MAX_PIECES: Final = 100


@dataclass(frozen=True, slots=True)
class Baskets:
    """B baskets by time; `first_line` (B + 1,) bounds their lines; amounts in cents; `at` in ms."""

    id: NDArray[np.int64]
    household: NDArray[np.int64]
    at: NDArray[np.int64]
    day: NDArray[np.int64]
    value: NDArray[np.int64]
    discount: NDArray[np.int64]
    first_line: NDArray[np.int64]
    coupon: dict[int, str]


@dataclass(frozen=True, slots=True)
class Lines:
    """L lines in the order of their baskets; `price` is of one piece, in cents."""

    basket: NDArray[np.int64]
    item: NDArray[np.int64]
    category: NDArray[np.uint8]
    quantity: NDArray[np.int64]
    price: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Campaign:
    """A mailing to some households (positions in `Shop.households`), first to last local day."""

    id: int
    first_day: int
    last_day: int
    households: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Shop:
    """Everything the messages are made of; `households` are the ids in ascending order."""

    households: NDArray[np.int64]
    baskets: Baskets
    lines: Lines
    campaigns: list[Campaign]

    @property
    def days(self) -> int:
        """Days that the data spans, from day 0."""
        return int(self.baskets.day[-1]) + 1 if len(self.baskets.day) else 0


def load_shop() -> Shop:
    """The real data set; DataError without the package that has it."""
    return make_shop(read_tables())


def make_shop(tables: Mapping[str, Table]) -> Shop:
    """Columns by table name (`COLUMNS`) to a Shop; times are datetime64 in UTC."""
    sold = tables["transactions"]
    households, household = np.unique(sold["household_id"], return_inverse=True)
    stamp = sold["transaction_timestamp"].astype("M8[ms]").astype(np.int64) // 1000 * 1000
    ids, first_seen, basket = np.unique(sold["basket_id"], return_index=True, return_inverse=True)
    by_time = np.lexsort((ids, stamp[first_seen]))
    rank = np.empty_like(by_time)
    rank[by_time] = np.arange(len(by_time))
    first_seen = first_seen[by_time]
    of_line = rank[basket]
    order = np.argsort(of_line, kind="stable")
    at = stamp[first_seen]
    baskets = Baskets(
        id=ids[by_time],
        household=household[first_seen],
        at=at,
        day=day_of(at),
        value=_totals(of_line, _cents(sold["sales_value"]), len(ids)),
        discount=_totals(of_line, _discounts(sold), len(ids)),
        first_line=np.searchsorted(of_line[order], np.arange(len(ids) + 1)),
        coupon={},
    )
    shop = Shop(
        households,
        baskets,
        _lines(sold, of_line, order, tables["products"]),
        _campaigns(tables, households),
    )
    baskets.coupon.update(_redeemed(shop, tables["coupon_redemptions"]))
    return shop


def _cents(dollars: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.rint(np.asarray(dollars) * 100).astype(np.int64)


def _discounts(sold: Table) -> NDArray[np.int64]:
    kinds = ("retail_disc", "coupon_disc", "coupon_match_disc")
    return np.abs(sum((_cents(sold[kind]) for kind in kinds), start=np.int64(0)))


def _totals(group: NDArray[np.int64], amount: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    totals = np.zeros(n, np.int64)
    np.add.at(totals, group, amount)
    return totals


def _lines(
    sold: Table, basket: NDArray[np.int64], order: NDArray[np.int64], products: Table
) -> Lines:
    item = sold["product_id"][order]
    pieces = sold["quantity"][order]
    quantity = np.where((pieces < 1) | (pieces > MAX_PIECES), 1, pieces)
    cents = _cents(sold["sales_value"][order])
    return Lines(
        basket=basket[order],
        item=item,
        category=_category(item, products),
        quantity=quantity,
        price=np.rint(cents / quantity).astype(np.int64),
    )


def _category(item: NDArray[np.int64], products: Table) -> NDArray[np.uint8]:
    code = {name: number for number, name in enumerate(CATEGORIES)}
    known = np.argsort(products["product_id"])
    names = zip(products["department"][known], products["product_category"][known], strict=True)
    codes = np.array([code[category_of(*pair)] for pair in names], np.uint8)
    ids = products["product_id"][known]
    position = np.minimum(np.searchsorted(ids, item), len(ids) - 1)
    return np.where(ids[position] == item, codes[position], code["other"]).astype(np.uint8)


def _campaigns(tables: Mapping[str, Table], households: NDArray[np.int64]) -> list[Campaign]:
    sent, described = tables["campaigns"], tables["campaign_descriptions"]
    days = [
        described[edge].astype("M8[D]") - np.datetime64("2017-01-01")
        for edge in ("start_date", "end_date")
    ]
    found = []
    for number, first, last in zip(described["campaign_id"], *days, strict=True):
        members = np.isin(households, sent["household_id"][sent["campaign_id"] == number])
        found.append(
            Campaign(
                int(number), int(first.astype(int)), int(last.astype(int)), np.flatnonzero(members)
            )
        )
    return sorted(found, key=lambda campaign: campaign.id)


def _redeemed(shop: Shop, redemptions: Table) -> dict[int, str]:
    """Position of a basket → coupon: the first basket of that household and day with a discount."""
    first: dict[tuple[int, int], int] = {}
    baskets = shop.baskets
    at = zip(
        shop.households[baskets.household].tolist(),
        baskets.day.tolist(),
        baskets.discount.tolist(),
        strict=True,
    )
    for position, (household, day, discount) in enumerate(at):
        if discount:
            first.setdefault((household, day), position)
    day = (redemptions["redemption_date"].astype("M8[D]") - np.datetime64("2017-01-01")).astype(int)
    coupons: dict[int, str] = {}
    rows = zip(
        redemptions["household_id"].tolist(),
        day.tolist(),
        redemptions["coupon_upc"].tolist(),
        strict=True,
    )
    for household, when, upc in rows:
        if (household, when) in first:
            coupons.setdefault(first[household, when], str(upc))
    return coupons
