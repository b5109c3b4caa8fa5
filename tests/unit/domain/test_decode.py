"""Decoding: right columns for good records, a reason for every bad one, and never an exception."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, fields, is_dataclass
from decimal import Decimal
from typing import Any
from unittest.mock import patch
from zlib import crc32

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.schemas import mutants

from stream_app.domain.batch import EVENT_TYPES, MISSING, NO_OFFSET, EventBatch, Strings
from stream_app.domain.clock import DAY, MINUTE
from stream_app.domain.decode import Decoded, DecodeOptions, Decoder
from stream_app.domain.errors import Reason
from stream_app.domain.faults import MAX_DEPTH

NOW = 1_772_384_645_120
LIMIT = 65_536


@dataclass
class Record:
    value: bytes | None
    timestamp: int = NOW
    offset: int = 0


def click(**fields: Any) -> dict[str, Any]:
    return {"event_id": "e", "type": "view_item", "user_id": "u", "occurred_at": NOW} | fields


def purchase(**fields: Any) -> dict[str, Any]:
    return click(type="purchase", value=10, currency="USD") | fields


def encoded(document: dict[str, Any]) -> bytes:
    return json.dumps(document).encode()


def encoded_or_none(document: Any) -> bytes | None:
    return None if document is None else json.dumps(document).encode()


def decode(clicks: list[Any], purchases: list[Any] | None = None, **options: Any) -> Decoded:
    """Decode documents, raw values, or records."""

    def log(entries: list[Any]) -> list[Record]:
        return [
            entry
            if isinstance(entry, Record)
            else Record(encoded(entry) if isinstance(entry, dict) else entry, offset=100 + i)
            for i, entry in enumerate(entries)
        ]

    decoder = Decoder(DecodeOptions(rates={"EUR": Decimal("1.08")}, **options))
    return decoder.decode([log(clicks), log(purchases or [])])


def texts(column: Strings) -> list[str | None]:
    return [None if code < 0 else column.values[code] for code in column.codes.tolist()]


def refused(clicks: list[Any], purchases: list[Any] | None = None, **options: Any) -> Any:
    """The reason and detail of the only record, which must be refused."""
    decoded = decode(clicks, purchases, **options)
    assert len(decoded.batch) == 0
    (rejected,) = decoded.rejected
    return rejected.reason, rejected.detail


#: Sound clicks, purchases with lines, and what is refused or needs a look.
MIXED = st.sampled_from(
    [
        click(),
        click(event_id="f", channel="a", city="Ulm", item_id="i", price=1.25, currency="EUR"),
        click(channel="b", city="Köln", quantity=2, occurred_at="2026-03-01T18:04:05+01:00"),
        click(channel="b", price=1, currency="XXX"),
        click(type="purchase"),
        purchase(event_id="g", items=[{"item_id": "i", "price": 2}, {"item_category": "c"}]),
        purchase(event_id="h", items=[{"item_id": "k", "quantity": 0.5}]),
        purchase(coupon="x", items=[{"item_id": "k", "item_category": "d"}]),
        b"{",
        b"",
        None,
        b" " * 900 + json.dumps(click(user_id="v")).encode(),
    ]
)


class TestColumns:
    def test_clicks_come_first_each_in_log_order(self) -> None:
        batch = decode(
            [click(event_id="a"), click(event_id="b", type="login", user_id="v")],
            [purchase(event_id="c", type="refund")],
        ).batch
        assert batch.event_id == ["a", "b", "c"]
        assert batch.user == ["u", "v", "u"]
        assert batch.topic.tolist() == [0, 0, 1]
        assert [EVENT_TYPES[code] for code in batch.type] == ["view_item", "login", "refund"]
        assert batch.position.tolist() == [0, 1, 0]
        assert batch.id_hash.tolist() == [crc32(b"a"), crc32(b"b"), crc32(b"c")]

    @pytest.mark.parametrize(
        ("written", "at", "utc_offset"),
        [
            (NOW, NOW, NO_OFFSET),
            (float(NOW), NOW, NO_OFFSET),
            ("2026-03-01T17:04:05.120Z", NOW, NO_OFFSET),
            ("2026-03-01T17:04:05.120+00:00", NOW, NO_OFFSET),
            ("2026-03-01T18:04:05.120999+01:00", NOW, 60),
            ("2026-03-01 11:34:05.120-0530", NOW, -330),
        ],
    )
    def test_times(self, written: Any, at: int, utc_offset: int) -> None:
        batch = decode([click(occurred_at=written)]).batch
        assert (batch.at.tolist(), batch.utc_offset.tolist()) == ([at], [utc_offset])
        assert (batch.at.dtype, batch.utc_offset.dtype) == (np.int64, np.int16)

    def test_numbers_are_minor_units_and_pieces(self) -> None:
        numbers = decode(
            [click(price=1.25, currency="EUR", quantity=2.0), click()],
            [purchase(value=12.34, discount=0.125)],
        ).batch.numbers
        assert numbers["price"].tolist() == [135, MISSING, MISSING]
        assert numbers["quantity"].tolist() == [2, MISSING, MISSING]
        assert numbers["value"].tolist() == [MISSING, MISSING, 1234]
        assert numbers["discount"].tolist() == [MISSING, MISSING, 12]

    def test_digits_beyond_a_float_decide_a_tie(self) -> None:
        values = [b"0.125", b"0.12500000000000000000001", b"0.135", b"1.005", b"4.35e-1"]
        base = encoded(purchase(value=7))
        batch = decode([], [base.replace(b"7,", value + b",") for value in values]).batch
        assert batch.numbers["value"].tolist() == [12, 13, 14, 100, 44]
        items = base.replace(b"}", b', "items": [{}, {"price": 0.12500000000000000000001}]}')
        lines = decode([], [items]).batch.lines
        assert lines is not None
        assert lines.price.tolist() == [MISSING, 13]

    def test_strings_of_both_topics(self) -> None:
        strings = decode(
            [click(channel="email", device=""), click(city=None)],
            [purchase(channel="email", coupon="X", device="ignored")],
        ).batch.strings
        assert texts(strings["channel"]) == ["email", None, "email"]
        assert strings["channel"].values == ["email"]
        assert texts(strings["device"]) == [None] * 3
        assert texts(strings["coupon"]) == [None, None, "X"]

    def test_only_wanted_columns_are_extracted(self) -> None:
        batch = decode(
            [click(city="Ulm", item_id="i")],
            [purchase(items=[{"item_id": "i", "item_category": "c"}])],
            columns=frozenset({"city", "item_category", "value"}),
        ).batch
        assert set(batch.strings) == {"item_category", "city"}
        assert batch.lines is not None
        assert texts(batch.lines.item_category) == ["c"]
        assert texts(batch.lines.item_id) == [None]

    def test_lines_point_to_their_events(self) -> None:
        batch = decode(
            [click()],
            [
                purchase(items=[{"item_id": "a", "price": 2, "quantity": 3}]),
                purchase(items=None),
                purchase(value=-1, items=[{"item_id": "lost"}]),
                purchase(items=[{}, {"item_id": "b", "price": 1.5}], currency="EUR"),
            ],
        ).batch
        assert batch.lines is not None
        assert batch.lines.event.tolist() == [1, 3, 3]
        assert texts(batch.lines.item_id) == ["a", None, "b"]
        assert batch.lines.price.tolist() == [200, MISSING, 162]
        assert batch.lines.quantity.tolist() == [3, MISSING, MISSING]

    def test_a_late_fault_drops_the_event_and_its_lines(self) -> None:
        lost = purchase(event_id="x", items=[{"item_id": "lost"}], currency="GBP")
        decoded = decode([], [lost, purchase(items=[{"item_id": "a"}]), lost])
        assert [r.position for r in decoded.rejected] == [0, 2]
        assert decoded.batch.position.tolist() == [1]
        assert decoded.batch.lines is not None
        assert decoded.batch.lines.event.tolist() == [0]
        assert decoded.batch.lines.item_id.values == ["a"]

    def test_records_of_no_topic_are_left_to_the_caller(self) -> None:
        given = [[Record(encoded(click()))], [], [Record(b"{")]]
        decoded = Decoder(DecodeOptions()).decode(given)
        assert (decoded.batch.event_id, decoded.rejected) == (["e"], [])

    def test_no_records(self) -> None:
        decoded = decode([])
        assert (len(decoded.batch), decoded.rejected, decoded.batch.lines) == (0, [], None)
        assert decoded.batch.at.dtype == np.int64


DEEP = b'{"x":%b1%b,' % (b"[" * (MAX_DEPTH - 1), b"]" * (MAX_DEPTH - 1))
TOO_DEEP = b'{"x":%b1%b,' % (b"[" * MAX_DEPTH, b"]" * MAX_DEPTH)
GOOD = encoded(click())

#: value of a click, reason, a part of the detail
BAD_VALUES: list[tuple[Any, Reason, str]] = [
    (None, Reason.EMPTY, "no value"),
    (b"", Reason.EMPTY, "no value"),
    (b" ", Reason.MALFORMED, ""),
    (b"{", Reason.MALFORMED, ""),
    (b"\x00", Reason.MALFORMED, ""),
    (b"\xef\xbb\xbf" + GOOD, Reason.MALFORMED, ""),
    (GOOD + b"x", Reason.MALFORMED, "trailing"),
    (GOOD[:-1] + b', "price": NaN}', Reason.MALFORMED, ""),
    (GOOD[:-1] + b', "x": Infinity}', Reason.MALFORMED, ""),
    (GOOD.replace(b'"u"', b'"\xff"'), Reason.MALFORMED, "UTF-8"),
    (GOOD[:-1] + b', "x": "\xff"}', Reason.MALFORMED, "UTF-8"),
    (GOOD[:-1] + b', "x": "\xed\xa0\x80"}', Reason.MALFORMED, "UTF-8"),
    (GOOD.replace(b'"u"', b'"\\ud800"'), Reason.MALFORMED, ""),
    (GOOD[:-1] + b', "x": "\\udc00"}', Reason.MALFORMED, ""),
    (TOO_DEEP + GOOD[1:], Reason.MALFORMED, f"more than {MAX_DEPTH} deep"),
    (b"[" * 60_000, Reason.MALFORMED, "deep"),
    (b"[]", Reason.INVALID, "object"),
    (b"null", Reason.INVALID, "object"),
    (b"7", Reason.INVALID, "object"),
    (encoded(click(user_id="a\n")), Reason.INVALID, "user_id: contains a control"),
    (encoded(click(x="y" * 2_000, user_id="a\n")), Reason.INVALID, "user_id: contains a control"),
    (encoded(click(event_id="a\x00")), Reason.INVALID, "event_id: contains a control"),
    (GOOD.replace(b'"u"', b'"\x7f"'), Reason.INVALID, "user_id: contains a control"),
    (GOOD.replace(b'"u"', '"\x85"'.encode()), Reason.INVALID, "user_id: contains a control"),
    (encoded(click(user_id="")), Reason.INVALID, "user_id: expected text of length >= 1"),
    (encoded(click(user_id="x" * 257)), Reason.INVALID, "user_id: expected text of length <= 256"),
    (encoded(click(user_id=None)), Reason.INVALID, "user_id: expected text, got null"),
    (encoded(click(user_id=17)), Reason.INVALID, "user_id: expected text, got int"),
    (b'{"type": "login", "event_id": "e", "occurred_at": 1}', Reason.INVALID, "occurred_at: "),
    (b'{"type": "login", "event_id": "e"}', Reason.INVALID, "user_id: missing"),
    (b"{}", Reason.INVALID, "event_id: missing"),
    (encoded(click(type=None)), Reason.INVALID, "type: expected text"),
    (encoded(click(type="view_itm")), Reason.UNKNOWN_TYPE, "'view_item'"),
    (encoded(click(type="z" * 9000)), Reason.UNKNOWN_TYPE, "type: 'zzz"),
    (encoded(click(type="purchase")), Reason.WRONG_TOPIC, "belongs to the topic purchases"),
    (encoded(click(occurred_at="2024-02-30T00:00:00Z")), Reason.INVALID, "occurred_at: "),
    (encoded(click(occurred_at="2024-01-01T00:00:00")), Reason.INVALID, "offset"),
    (encoded(click(occurred_at=NOW + 0.5)), Reason.INVALID, "occurred_at: "),
    (encoded(click(occurred_at=NOW // 1000)), Reason.INVALID, "milliseconds"),
    (encoded(click(occurred_at="2000-01-01T00:00:00+01:00")), Reason.INVALID, "occurred_at: "),
    (encoded(click(occurred_at="9999-12-31T23:59:59-05:00")), Reason.INVALID, "occurred_at: "),
    (encoded(click(occurred_at=10**400)), Reason.INVALID, "occurred_at: "),
    (encoded(click(price=-0.01, currency="USD")), Reason.INVALID, "price: expected number >= 0"),
    (encoded(click(price="1.00", currency="USD")), Reason.INVALID, "price: expected number"),
    (encoded(click(price=1)), Reason.INVALID, "currency: missing; price needs it"),
    (encoded(click(price=1, currency="usd")), Reason.INVALID, "currency: expected three"),
    (encoded(click(currency="12€")), Reason.INVALID, "currency: expected three"),
    (encoded(click(quantity=1.5)), Reason.INVALID, "quantity: expected a whole"),
    (encoded(click(quantity=-1)), Reason.INVALID, "quantity: expected number >= 0"),
    (encoded(click(price=1, currency="GBP")), Reason.UNDECLARED_CURRENCY, "GBP has no declared"),
    (encoded(click(price=1e11, currency="USD")), Reason.AMOUNT_OUT_OF_RANGE, "price: more than"),
    (encoded(click(price=1e308, currency="USD")), Reason.AMOUNT_OUT_OF_RANGE, "price: "),
    (encoded(click(price=10**30, currency="EUR")), Reason.AMOUNT_OUT_OF_RANGE, "price: "),
    (encoded(click(price=10**400, currency="USD")), Reason.AMOUNT_OUT_OF_RANGE, "price: "),
    (GOOD[:-1] + b', "price": 1e999999999999}', Reason.AMOUNT_OUT_OF_RANGE, "price: "),
    (b'{"x": "' + b"x" * LIMIT + b'"}', Reason.TOO_LARGE, "65545 bytes"),
    (b"\xff" * 10_000_000, Reason.TOO_LARGE, "10000000 bytes"),
]


class TestRefusals:
    @pytest.mark.parametrize(("value", "reason", "detail"), BAD_VALUES)
    def test_clicks(self, value: bytes | None, reason: Reason, detail: str) -> None:
        decoded = decode([click(event_id="before"), value, click(event_id="after")])
        assert decoded.batch.event_id == ["before", "after"]
        (rejected,) = decoded.rejected
        assert (rejected.topic, rejected.position) == (0, 1)
        assert rejected.reason is reason
        assert detail in rejected.detail
        assert len(rejected.detail) < 400

    @pytest.mark.parametrize(
        ("fields", "reason", "detail"),
        [
            ({"type": "login"}, Reason.WRONG_TOPIC, "'login' belongs to the topic clicks"),
            ({"value": None}, Reason.INVALID, "value: expected number, got null"),
            ({"currency": None}, Reason.INVALID, "currency: "),
            ({"currency": "GBP"}, Reason.UNDECLARED_CURRENCY, "declared are EUR, USD"),
            ({"discount": -1}, Reason.INVALID, "discount: "),
            ({"value": 1e10 + 0.01}, Reason.AMOUNT_OUT_OF_RANGE, "value: "),
            ({"items": [1]}, Reason.INVALID, "items[0]: expected object, got int"),
            ({"items": {}}, Reason.INVALID, "items: expected array"),
            ({"items": [{}] * 1001}, Reason.INVALID, "items: "),
            ({"items": [{}, {"price": -1}]}, Reason.INVALID, "items[1].price: expected number"),
            ({"items": [{}, {"price": 1e300}]}, Reason.AMOUNT_OUT_OF_RANGE, "items[1].price: "),
            ({"items": [{}, {"quantity": 0.5}]}, Reason.INVALID, "items[1].quantity: expected a"),
            ({"items": [{}, {"item_id": "\t"}]}, Reason.INVALID, "items[1].item_id: contains"),
        ],
    )
    def test_purchases(self, fields: dict[str, Any], reason: Reason, detail: str) -> None:
        found = refused([], [purchase(**fields)])
        assert found[0] is reason
        assert detail in found[1]

    def test_age_is_judged_against_the_record(self) -> None:
        def at(behind: int) -> Record:
            return Record(GOOD, timestamp=NOW + behind)

        logs = [at(-5 * MINUTE - 1), at(-5 * MINUTE), at(DAY), at(DAY + 1), at(-NOW - 1)]
        decoded = decode(logs, retention_ms=DAY)
        assert [(r.position, r.reason) for r in decoded.rejected] == [
            (0, Reason.FUTURE),
            (3, Reason.TOO_OLD),
            (4, Reason.FUTURE),
        ]
        assert "2026-03-01T17:04:05.120Z is 300 s after" in decoded.rejected[0].detail
        assert not decode(logs, future_ms=None, retention_ms=None).rejected

    def test_a_currency_without_price_needs_no_rate(self) -> None:
        assert not decode([click(currency="GBP")]).rejected

    def test_unusable_rates_are_refused_at_once(self) -> None:
        with pytest.raises(ValueError, match="rate of EUR"):
            Decoder(DecodeOptions(rates={"EUR": Decimal(0)}))


class TestTolerance:
    @pytest.mark.parametrize(
        "value",
        [
            DEEP + GOOD[1:],
            GOOD[:-1] + b', "x": "' + b"[{" * 500 + b'\\""}',
            GOOD[:-1] + b', "x": [' + b"[]," * 500 + b"{}]}",
            GOOD[:-1] + b', "x": "' + b"y" * 2_000 + b'"}',
            GOOD[:-1] + b', "x": "\\u0000\\n", "\\t": 1}',
            GOOD.replace(b'"u"', '"\u00a3\U0001f600\\ud83d\\ude00"'.encode()),
            GOOD[:-1] + b', "user_id": "u", "type": "login"}',
            GOOD[:-1] + b', "price": 1e-400, "currency": "USD"}',
            b"\r\n\t " + GOOD + b"\n",
        ],
    )
    def test_odd_but_sound(self, value: bytes) -> None:
        assert decode([value]).rejected == []

    def test_of_a_key_that_comes_twice_the_last_counts(self) -> None:
        batch = decode([GOOD[:-1] + b', "user_id": "v"}']).batch
        assert batch.user == ["v"]

    def test_depth_is_judged_alike_however_deep_the_stack_is(self) -> None:
        def below(frames: int, value: bytes) -> Any:
            return refused([value]) if frames == 0 else below(frames - 1, value)

        value = b'{"x":%b1%b,"user_id":7}' % (b"[" * 700, b"]" * 700)
        spare = sys.getrecursionlimit() - 250
        assert refused([value]) == below(spare // 2, value)

    @settings(max_examples=80)
    @given(st.lists(st.binary(max_size=40) | mutants("purchases").map(encoded_or_none), max_size=4))
    def test_never_raises_and_accounts_for_every_record(self, values: list[bytes | None]) -> None:
        decoded = decode(values, values, max_event_bytes=2_000)
        assert len(decoded.batch) + len(decoded.rejected) == 2 * len(values)
        check_shape(decoded.batch)

    @settings(max_examples=30)
    @given(st.data())
    def test_any_split_gives_the_same_events(self, data: st.DataObject) -> None:
        values = data.draw(st.lists(mutants("purchases").map(encoded_or_none), max_size=6))
        cut = data.draw(st.integers(0, len(values)))
        whole = decode([], values)
        parts = [decode([], values[:cut]), decode([], values[cut:])]
        assert rows(whole) == [row for part in parts for row in rows(part)]

    @settings(max_examples=60)
    @given(
        st.lists(MIXED, max_size=7),
        st.lists(MIXED, max_size=7),
        st.integers(1, 5),
        st.integers(1, 5),
    )
    def test_sizes_of_pieces_change_nothing(
        self, clicks: list[Any], purchases: list[Any], piece: int, together: int
    ) -> None:
        whole = decode(clicks, purchases)
        with (
            patch("stream_app.domain.decode._PIECE", piece),
            patch("stream_app.domain.parse._TOGETHER", together),
        ):
            pieces = decode(clicks, purchases)
        assert rows(pieces) == rows(whole)
        assert pieces.rejected == whole.rejected
        for field in fields(EventBatch):
            same(getattr(pieces.batch, field.name), getattr(whole.batch, field.name))


def same(one: Any, other: Any) -> None:
    """Fail unless both are equal, columns and dictionaries of texts alike."""
    if isinstance(one, np.ndarray):
        assert one.dtype == other.dtype
        assert one.tolist() == other.tolist()
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for name, column in one.items():
            same(column, other[name])
    elif is_dataclass(one):
        for field in fields(one):
            same(getattr(one, field.name), getattr(other, field.name))
    else:
        assert one == other


def rows(decoded: Decoded) -> list[tuple[Any, ...]]:
    batch = decoded.batch
    names = sorted(batch.strings)
    return [
        (
            batch.user[i],
            batch.event_id[i],
            int(batch.at[i]),
            int(batch.utc_offset[i]),
            [int(batch.numbers[name][i]) for name in sorted(batch.numbers)],
            [texts(batch.strings[name])[i] for name in names],
            [] if batch.lines is None else batch.lines.price[batch.lines.event == i].tolist(),
        )
        for i in range(len(batch))
    ]


def check_shape(batch: EventBatch) -> None:
    n = len(batch)
    columns = [batch.topic, batch.type, batch.at, batch.utc_offset, batch.id_hash, batch.position]
    columns += [*batch.numbers.values(), *(column.codes for column in batch.strings.values())]
    assert {len(column) for column in columns} == {n}
    assert len(batch.event_id) == n
    for column in batch.numbers.values():
        assert ((column == MISSING) | (column >= 0)).all()
    if batch.lines is not None:
        assert (np.diff(batch.lines.event) >= 0).all()
        assert batch.lines.event.max() < n
