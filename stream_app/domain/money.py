"""Amounts as int64 minor units (cents, yen, fils) of the shop's one reporting currency."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import MAX_EMAX, MIN_EMIN, ROUND_HALF_EVEN, Context, Decimal, DecimalException
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream_app.domain.batch import MISSING

#: The largest amount an event may carry, in minor units of the reporting currency.
MAX_MINOR: Final = 10**12

#: ISO 4217 currencies whose minor unit is not a hundredth, by digits after the decimal point.
_UNUSUAL: Final = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
EXPONENTS: Final = {code: digits for digits, codes in _UNUSUAL.items() for code in codes.split()}
_CODE: Final = re.compile("[A-Z]{3}")
#: Rates outside this range are taken for a mistake.
_RATES: Final = (Decimal("1e-9"), Decimal("1e9"))
#: Wide enough to multiply any number that fits in an event without rounding.
_EXACT: Final = Context(prec=1_000_000, Emax=MAX_EMAX, Emin=MIN_EMIN, rounding=ROUND_HALF_EVEN)


def is_currency(code: str) -> bool:
    """Whether `code` has the form of an ISO 4217 code, three capital letters."""
    return _CODE.fullmatch(code) is not None


def exponent(currency: str) -> int:
    """Digits after the decimal point of a currency, by ISO 4217 (2 for most)."""
    return EXPONENTS.get(currency, 2)


class Money:
    """Converts amounts in major units of declared currencies.

    `rates` says how many units of `currency` one unit of another is worth. An amount is multiplied
    exactly and rounded once, half to even. Raises ValueError for a code that is not three capital
    letters and for a rate that is not a number between 1e-9 and 1e9.

    >>> shop = Money("USD", {"EUR": Decimal("1.08")})
    >>> shop.exact(Decimal("10.00"), "EUR")
    1080
    """

    def __init__(
        self, currency: str, rates: Mapping[str, Decimal | str | float] | None = None
    ) -> None:
        self.currency = currency
        self.exponent = exponent(currency)
        units = {code: _rate(code, rate) for code, rate in (rates or {}).items()}
        if units.get(currency, Decimal(1)) != 1:
            raise ValueError(f"the rate of {currency}, the reporting currency, is 1")
        units[currency] = _rate(currency, 1)
        self._exact = {code: rate.scaleb(self.exponent) for code, rate in units.items()}
        self._factors = {code: float(factor) for code, factor in self._exact.items()}

    @property
    def declared(self) -> tuple[str, ...]:
        """The currencies that amounts may be in, sorted."""
        return tuple(sorted(self._exact))

    def factor(self, currency: str) -> float:
        """Minor units of the reporting currency for one of `currency`; NaN if undeclared."""
        return self._factors.get(currency, np.nan)

    def exact(self, amount: Decimal, currency: str) -> int | None:
        """Minor units of `amount`; None if more than MAX_MINOR. KeyError if undeclared."""
        if not amount:
            return 0
        if amount.adjusted() > 30:
            return None
        product = _EXACT.multiply(amount, self._exact[currency])
        minor = int(product.to_integral_value(context=_EXACT))
        return minor if abs(minor) <= MAX_MINOR else None


def to_minor(
    amounts: NDArray[np.float64], factors: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Minor units (n,) of `amounts` (n,), and a mask of those that need `Money.exact`.

    NaN means absent and becomes MISSING. Parsing, the factor and the product each err by at most
    2**-53 of the result, together less than 0.001 below MAX_MINOR: a product further than that
    from a tie is rounded to the same integer as the exact one.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        product = amounts * factors
        minor = np.rint(product)
        sure = (np.abs(product - minor) < 0.499) & (np.abs(product) < MAX_MINOR - 1)
    absent = np.isnan(amounts)
    return np.where(sure, minor, MISSING).astype(np.int64), ~(sure | absent)


def _rate(code: str, rate: Decimal | str | float) -> Decimal:
    if not is_currency(code):
        raise ValueError(f"currency {code!r}; expected an ISO 4217 code such as EUR")
    try:
        value = Decimal(str(rate))
        if _RATES[0] <= value <= _RATES[1]:
            return value
    except DecimalException:
        pass
    raise ValueError(f"rate of {code} is {rate!r}; expected a number between 1e-9 and 1e9")
