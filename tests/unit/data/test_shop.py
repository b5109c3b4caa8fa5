"""Tables of the data set in columns."""

from __future__ import annotations

import numpy as np
import pytest
from support.small_shop import tables

from stream_app.data.categories import CATEGORIES, category_of
from stream_app.data.shop import Shop, make_shop


def sold(**columns: list[object]) -> Shop:
    """A shop of these transactions; columns that are not named hold ones or zeros."""
    n = len(columns["basket_id"])
    usual = {
        "household_id": [5] * n, "product_id": [1] * n, "quantity": [1] * n,
        "sales_value": [1.0] * n, "retail_disc": [0.0] * n, "coupon_disc": [0.0] * n,
        "coupon_match_disc": [0.0] * n, "transaction_timestamp": ["2017-01-03T18:00:00"] * n,
    }  # fmt: skip
    table = {name: np.array(values) for name, values in (usual | columns).items()}
    table["transaction_timestamp"] = table["transaction_timestamp"].astype("M8[ms]")
    return make_shop({**tables(1, 1), "transactions": table})


def test_a_basket_sums_its_lines_in_cents():
    shop = sold(basket_id=[9, 9, 9], sales_value=[0.1, 0.2, 4.49], retail_disc=[0.1, 0.2, 0.0],
                coupon_disc=[0.0, 0.5, 0.0], coupon_match_disc=[0.0, 0.0, 0.25])  # fmt: skip
    assert shop.baskets.value.tolist() == [479]
    assert shop.baskets.discount.tolist() == [105]


def test_lines_follow_their_basket_and_baskets_follow_time():
    shop = sold(
        basket_id=[9, 8, 9, 8],
        product_id=[1, 2, 3, 4],
        transaction_timestamp=["2017-01-04T18:00", "2017-01-03T18:00"] * 2,
    )
    assert shop.baskets.id.tolist() == [8, 9]
    assert shop.baskets.first_line.tolist() == [0, 2, 4]
    assert shop.lines.item.tolist() == [2, 4, 1, 3]
    assert shop.lines.basket.tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("quantity", "value", "pieces", "price"),
    [(2, 3.0, 2, 150), (0, 0.0, 1, 0), (3, 1.0, 3, 33), (14_505, 28.71, 1, 2871)],
)
def test_quantities_that_are_no_pieces_count_as_one(quantity, value, pieces, price):
    shop = sold(basket_id=[1], quantity=[quantity], sales_value=[value])
    assert shop.lines.quantity.tolist() == [pieces]
    assert shop.lines.price.tolist() == [price]


def test_a_coupon_belongs_to_the_first_discounted_basket_of_its_day():
    shop = sold(
        household_id=[1, 1, 1],
        basket_id=[1, 2, 3],
        retail_disc=[0.0, 0.4, 0.3],
        transaction_timestamp=["2017-01-03T15:00", "2017-01-03T16:00", "2017-01-03T17:00"],
    )
    assert shop.baskets.coupon == {1: "51380041013"}


def test_the_product_category_decides_before_the_department():
    assert category_of("PRODUCE", "SALAD MIX") == "salads"
    assert category_of("PRODUCE", "CARROTS") == "vegetables"
    assert category_of(None, None) == category_of("TOYS", "TOYS") == "other"
    assert 30 <= len(CATEGORIES) <= 45


def test_products_that_are_not_listed_are_other():
    shop = sold(basket_id=[1, 1], product_id=[1, 99_999])
    assert [CATEGORIES[code] for code in shop.lines.category] == ["beef", "other"]


def test_campaigns_know_their_households_by_position():
    campaign = make_shop(tables(5, 20)).campaigns[0]
    assert (campaign.id, campaign.first_day, campaign.last_day) == (7, 9, 40)
    assert campaign.households.tolist() == [1, 2]
