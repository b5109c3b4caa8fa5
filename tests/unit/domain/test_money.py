"""Decimal amounts to minor units: exact, half to even, within range."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_app.domain.batch import MISSING
from stream_app.domain.money import MAX_MINOR, Money, exponent, to_minor

RATES = {"EUR": Decimal("1.08"), "JPY": Decimal("0.0067"), "BHD": Decimal("2.6525")}
USD = Money("USD", RATES)


@pytest.mark.parametrize(
    ("reporting", "amount", "currency", "minor"),
    [
        ("USD", "12.34", "USD", 1234),
        ("USD", "0.125", "USD", 12),
        ("USD", "0.135", "USD", 14),
        ("USD", "0.1250000000000000000000000001", "USD", 13),
        ("USD", "100", "EUR", 10_800),
        ("USD", "1", "JPY", 1),
        ("USD", "-0.125", "USD", -12),
        ("USD", "0E+400", "USD", 0),
        ("USD", "1E-400", "USD", 0),
        ("JPY", "2.5", "JPY", 2),
        ("JPY", "3.5", "JPY", 4),
        ("BHD", "1.2345", "BHD", 1234),
        ("USD", "10000000000.00", "USD", MAX_MINOR),
        ("USD", "10000000000.005", "USD", MAX_MINOR),
        ("USD", "10000000000.01", "USD", None),
        ("USD", "1E+308", "USD", None),
        ("USD", "1E+999999", "USD", None),
    ],
)
def test_exact(reporting: str, amount: str, currency: str, minor: int | None) -> None:
    money = Money(reporting, RATES if reporting == "USD" else {})
    assert money.exact(Decimal(amount), currency) == minor


def test_exponents_follow_iso_4217() -> None:
    assert [exponent(code) for code in ("USD", "JPY", "KWD", "CLF")] == [2, 0, 3, 4]


@pytest.mark.parametrize(
    ("currency", "rates"),
    [
        ("usd", {}),
        ("USD", {"EURO": 1}),
        ("USD", {"EUR": 0}),
        ("USD", {"EUR": -1}),
        ("USD", {"EUR": float("nan")}),
        ("USD", {"EUR": "much"}),
        ("USD", {"EUR": 1e10}),
        ("USD", {"USD": 2}),
    ],
)
def test_unusable_currencies_are_refused(currency: str, rates: dict[str, float]) -> None:
    with pytest.raises(ValueError):
        Money(currency, rates)


def amounts() -> st.SearchStrategy[Decimal]:
    cents = st.integers(0, 2 * MAX_MINOR).map(lambda n: Decimal(n).scaleb(-2))
    ties = st.integers(0, 10**9).map(lambda n: Decimal(2 * n + 1).scaleb(-1).scaleb(-2) * 5)
    near = st.tuples(ties, st.integers(-3, 3)).map(lambda t: t[0] + Decimal(t[1]).scaleb(-19))
    return (cents | ties | near | st.decimals(0, 10**11, places=5)).filter(lambda d: d >= 0)


@given(amounts(), st.sampled_from(["USD", "EUR", "JPY", "BHD"]))
def test_a_sure_float_equals_the_exact_amount(amount: Decimal, currency: str) -> None:
    minor, unsure = to_minor(np.array([float(amount)]), np.array([USD.factor(currency)]))
    exact = USD.exact(amount, currency)
    if unsure[0]:
        assert minor[0] == MISSING
    else:
        assert minor[0] == exact


@given(amounts(), st.sampled_from(["USD", "EUR", "JPY", "BHD"]))
def test_exact_rounds_the_true_product_half_to_even(amount: Decimal, currency: str) -> None:
    true = Fraction(amount) * Fraction(RATES.get(currency, Decimal(1))) * 100
    assert USD.exact(amount, currency) == (round(true) if round(true) <= MAX_MINOR else None)


def test_absent_and_undeclared_amounts() -> None:
    nan = np.nan
    minor, unsure = to_minor(np.array([nan, 1.0, nan, 1e308]), np.array([100.0, nan, nan, 100.0]))
    assert minor.tolist() == [MISSING] * 4
    assert unsure.tolist() == [False, True, False, True]
    assert np.isnan(USD.factor("GBP"))
    assert USD.declared == ("BHD", "EUR", "JPY", "USD")
