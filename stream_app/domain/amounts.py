"""Amounts of one topic's events: judged, and turned into minor units of the reporting currency."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from operator import attrgetter
from typing import Final

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from stream_app.domain.batch import CLICKS, MISSING, PURCHASES
from stream_app.domain.columns import floats
from stream_app.domain.errors import Reason
from stream_app.domain.events import Click, Purchase
from stream_app.domain.faults import Fault
from stream_app.domain.money import MAX_MINOR, Money, is_currency, to_minor
from stream_app.domain.parse import Valued


class _Price(Struct):
    price: Decimal | None = None


class _Amounts(Struct):
    value: Decimal
    discount: Decimal | None = None
    items: list[_Price] | None = None


#: Read the digits that a float cannot hold, of the few events that need them.
_EXACT: Final = {
    CLICKS: msgspec.json.Decoder[_Price | _Amounts](_Price),
    PURCHASES: msgspec.json.Decoder[_Price | _Amounts](_Amounts),
}


class Amounts:
    """Converts the amounts of `events`, which `records` are of; notes faults by event index."""

    def __init__(
        self,
        money: Money,
        topic: int,
        events: Sequence[Click | Purchase],
        records: Sequence[Valued],
        faults: dict[int, Fault],
    ) -> None:
        self._money = money
        self._decoder = _EXACT[topic]
        self._events = events
        self._records = records
        self._faults = faults
        self._decoded: dict[int, _Price | _Amounts] = {}
        self._factors = self._factor_of_each()

    def of_events(self, name: str) -> NDArray[np.int64]:
        """Minor units of the field `name` of every event (n,), MISSING where absent."""
        amounts = floats(list(map(attrgetter(name), self._events)))
        minor, unsure = to_minor(amounts, self._factors)
        for i in np.flatnonzero(unsure).tolist():
            minor[i] = self._settle(i, name)
        return minor

    def of_lines(
        self, prices: NDArray[np.float64], owner: NDArray[np.int32], starts: NDArray[np.int32]
    ) -> NDArray[np.int64]:
        """Minor units of the lines' prices (k,); `owner` (k,) is a line's event, `starts` (n,)
        an event's first line."""
        minor, unsure = to_minor(prices, self._factors[owner])
        for k in np.flatnonzero(unsure).tolist():
            event = int(owner[k])
            minor[k] = self._settle(event, "price", k - int(starts[event]))
        return minor

    def _factor_of_each(self) -> NDArray[np.float64]:
        currencies = list(map(attrgetter("currency"), self._events))
        factors: dict[str | None, float] = {None: np.nan}
        wrong = set()
        for code in set(currencies) - {None}:
            factors[code] = self._money.factor(code or "")
            if not is_currency(code or ""):
                wrong.add(code)
        if wrong:
            for i, code in enumerate(currencies):
                if code in wrong:
                    self._fault(i, Reason.INVALID, "currency: expected three capital letters")
        return np.fromiter(map(factors.__getitem__, currencies), np.float64, len(currencies))

    def _settle(self, i: int, name: str, line: int | None = None) -> int:
        """The exact amount that a float could not decide, or MISSING and a fault."""
        field = name if line is None else f"items[{line}].{name}"
        currency = self._events[i].currency
        if currency is None:
            self._fault(i, Reason.INVALID, f"currency: missing; {field} needs it")
            return MISSING
        if currency not in self._money.declared:
            known = ", ".join(self._money.declared)
            detail = f"currency: {currency} has no declared rate; declared are {known}"
            self._fault(i, Reason.UNDECLARED_CURRENCY, detail)
            return MISSING
        minor = self._money.exact(self._digits(i, name, line), currency)
        if minor is None:
            limit = f"{MAX_MINOR} minor units of {self._money.currency}"
            self._fault(i, Reason.AMOUNT_OUT_OF_RANGE, f"{field}: more than {limit}")
            return MISSING
        return minor

    def _digits(self, i: int, name: str, line: int | None) -> Decimal:
        if i not in self._decoded:
            self._decoded[i] = self._decoder.decode(self._records[i].value or b"")
        amounts = self._decoded[i]
        if line is not None and isinstance(amounts, _Amounts) and amounts.items:
            amounts = amounts.items[line]
        amount: Decimal = getattr(amounts, name)
        return amount

    def _fault(self, i: int, reason: Reason, detail: str) -> None:
        self._faults.setdefault(i, (reason, detail))
