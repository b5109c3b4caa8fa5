"""A shop of a few households and weeks, in the tables of the real data set."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from stream_app.data import Shop, make_shop
from stream_app.data.tables import Table

FIRST = np.datetime64("2017-01-01T05:00:00", "ms")
DAY = np.timedelta64(1, "D")
PRODUCTS = 40
#: Among the thirty households from here on two sign up in the first weeks.
FIRST_HOUSEHOLD = 9


def tables(households: int = 30, days: int = 90, seed: int = 1) -> dict[str, Table]:
    """Random baskets: a household buys every fourth day or so, one to six lines."""
    random = np.random.default_rng(seed)
    rows: dict[str, list[object]] = {name: [] for name in _TRANSACTIONS}
    basket = 1000
    for day in range(days):
        for household in range(FIRST_HOUSEHOLD, FIRST_HOUSEHOLD + households):
            if random.random() > 0.25:
                continue
            basket += 1
            at = FIRST + day * DAY + np.timedelta64(int(random.integers(0, 86_400)), "s")
            for _ in range(int(random.integers(1, 7))):
                line = (
                    household, basket, int(random.integers(PRODUCTS)) + 1,
                    int(random.integers(1, 4)), random.integers(50, 2000) / 100,
                    random.integers(0, 100) / 100, 0.0, 0.0, at,
                )  # fmt: skip
                for name, value in zip(_TRANSACTIONS, line, strict=True):
                    rows[name].append(value)
    columns = {name: np.array(values) for name, values in rows.items()}
    order = np.argsort(columns["transaction_timestamp"], kind="stable")
    return {"transactions": {name: column[order] for name, column in columns.items()}, **_rest()}


def small_shop(households: int = 30, days: int = 90, seed: int = 1) -> Shop:
    """The shop of these tables."""
    return make_shop(tables(households, days, seed))


def without_purchases(
    shop_tables: Mapping[str, Table], on: Callable[[NDArray[np.int64]], NDArray[np.bool_]]
) -> dict[str, Table]:
    """The same tables without the transactions of the days (0, 1, …) that `on` picks."""
    sold = shop_tables["transactions"]
    days = ((sold["transaction_timestamp"] - FIRST) // DAY).astype(np.int64)
    kept = ~on(days)
    assert not kept.all()
    left = {name: column[kept] for name, column in sold.items()}
    return {**shop_tables, "transactions": left}


_TRANSACTIONS = (
    "household_id",
    "basket_id",
    "product_id",
    "quantity",
    "sales_value",
    "retail_disc",
    "coupon_disc",
    "coupon_match_disc",
    "transaction_timestamp",
)


def _rest() -> dict[str, Table]:
    ids = np.arange(1, PRODUCTS + 1)
    names = ["SOFT DRINKS", "BEEF", "YOGURT", "CAT FOOD", "SALAD MIX"]
    return {
        "products": {
            "product_id": ids,
            "department": np.array(["GROCERY"] * PRODUCTS, object),
            "product_category": np.array([names[i % len(names)] for i in ids], object),
        },
        "coupon_redemptions": {
            "household_id": np.array([1]),
            "coupon_upc": np.array([51_380_041_013]),
            "redemption_date": np.array(["2017-01-03"], "M8[ms]"),
        },
        "campaigns": {"campaign_id": np.array([7, 7]), "household_id": np.array([10, 11])},
        "campaign_descriptions": {
            "campaign_id": np.array([7]),
            "start_date": np.array(["2017-01-10"], "M8[ms]"),
            "end_date": np.array(["2017-02-10"], "M8[ms]"),
        },
    }
