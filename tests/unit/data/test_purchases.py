"""A basket as a message, field by field."""

from __future__ import annotations

import json

import numpy as np
from support.small_shop import tables

from stream_app.data import make_shop
from stream_app.data.purchases import encode_purchases


def test_a_basket_becomes_a_purchase():
    sold = {
        "household_id": np.array([1, 1]),
        "basket_id": np.array([77, 77]),
        "product_id": np.array([2, 1]),
        "quantity": np.array([1, 2]),
        "sales_value": np.array([0.99, 5.0]),
        "retail_disc": np.array([0.1, 0.0]),
        "coupon_disc": np.array([0.0, 0.5]),
        "coupon_match_disc": np.array([0.0, 0.25]),
        "transaction_timestamp": np.array(["2017-01-03T16:53:26"] * 2, "M8[ns]"),
    }
    shop = make_shop({**tables(1, 1), "transactions": sold})
    (value,) = encode_purchases(shop, np.array([0]), ["h0001"])
    assert json.loads(value) == {
        "event_id": "purchase-77",
        "type": "purchase",
        "user_id": "h0001",
        "occurred_at": "2017-01-03T11:53:26-05:00",
        "transaction_id": "77",
        "value": 5.99,
        "currency": "USD",
        "discount": 0.85,
        "coupon": "51380041013",
        "channel": "store",
        "items": [
            {"item_id": "2", "item_category": "yogurt", "price": 0.99, "quantity": 1},
            {"item_id": "1", "item_category": "beef", "price": 2.5, "quantity": 2},
        ],
    }
