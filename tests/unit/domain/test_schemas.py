"""Decoder and schema accept and refuse the same documents."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.schemas import documents, mutants, schema, validator

from stream_app.domain.batch import TOPICS
from stream_app.domain.decode import DecodeOptions, Decoder
from stream_app.domain.errors import Reason, Rejected

DECODER = Decoder(DecodeOptions(rates={"EUR": Decimal("1.08")}, future_ms=None, retention_ms=None))
#: What no schema can say: which currencies the shop declared, and what an amount comes to in the
#: reporting currency. (`future`, `too_old`, `too_large` and `misrouted` are about records.)
BEYOND_SCHEMA = {Reason.UNDECLARED_CURRENCY, Reason.AMOUNT_OUT_OF_RANGE}


def refusal(topic: str, document: Any, ascii_only: bool = True) -> Rejected | None:
    value = json.dumps(document, ensure_ascii=ascii_only).encode()
    record = SimpleNamespace(value=value, timestamp=0, offset=0)
    logs: list[list[Any]] = [[record] if name == topic else [] for name in TOPICS]
    decoded = DECODER.decode(logs)
    assert len(decoded.batch) + len(decoded.rejected) == 1
    return decoded.rejected[0] if decoded.rejected else None


def impossible_date(document: dict[str, Any]) -> bool:
    """A date that the pattern lets pass but no calendar has, or an instant outside the range."""
    text = document["occurred_at"]
    if not isinstance(text, str):
        return False
    try:
        moment = datetime.fromisoformat(text.upper())
        zone = moment.utcoffset() or timedelta()
        instant = moment.replace(tzinfo=None) - zone
    except (ValueError, OverflowError):
        return True
    # A last digit that is rounded up may reach the end of the range.
    return not datetime(2000, 1, 1) <= instant < datetime(2099, 12, 31, 23, 59, 59, 999_999)


def agree(topic: str, document: Any, ascii_only: bool) -> None:
    refused = refusal(topic, document, ascii_only)
    if not validator(topic).is_valid(document):
        assert refused is not None, "the schema refuses it, the decoder does not"
    elif refused is not None and refused.reason not in BEYOND_SCHEMA:
        assert impossible_date(document), f"the schema accepts it: {refused}"
        assert refused.detail.startswith("occurred_at: ")


@settings(max_examples=60)
@given(documents("clicks"), st.booleans())
def test_clicks_that_the_schema_accepts(document: Any, ascii_only: bool) -> None:
    agree("clicks", document, ascii_only)


@settings(max_examples=60)
@given(documents("purchases"), st.booleans())
def test_purchases_that_the_schema_accepts(document: Any, ascii_only: bool) -> None:
    agree("purchases", document, ascii_only)


@settings(max_examples=60)
@given(mutants("clicks"), st.booleans())
@example({**schema("clicks")["examples"][0], "currency": "USD\n"}, True)
def test_clicks_that_are_mutated(document: Any, ascii_only: bool) -> None:
    agree("clicks", document, ascii_only)


@settings(max_examples=60)
@given(mutants("purchases"), st.booleans())
@example({**schema("purchases")["examples"][0], "items": [{"item_id": "a\x7f"}]}, False)
def test_purchases_that_are_mutated(document: Any, ascii_only: bool) -> None:
    agree("purchases", document, ascii_only)


@pytest.mark.parametrize("topic", TOPICS)
def test_examples_are_accepted(topic: str) -> None:
    for document in schema(topic)["examples"]:
        assert refusal(topic, document) is None


@pytest.mark.parametrize("topic", TOPICS)
def test_each_rule_at_its_edge(topic: str) -> None:
    """Every field in turn takes every edge value: the product that random search may miss."""
    edges: list[Any] = [None, True, "", "a\n", "\x85", "x" * 256, "x" * 257, "x" * 1025, "usd"]
    edges += ["GBP", 0, -1, -0.0, 0.5, 1_000_000.0, 1_000_001, 1e308, 10**400, [], {}, [{}]]
    edges += ["2024-02-29T23:59:59.999+23:59", "2024-01-01 00:00:00-0100", "2024-01-01T00:00:00"]
    edges += [946_684_799_999, 946_684_800_000.0, 4_102_444_799_999, 4_102_444_800_000, 1e12 + 0.5]
    edges += ["login", "refund", [{}] * 1000, [{}] * 1001, [{"price": -1}], [{"quantity": 2.5}]]
    base = schema(topic)["examples"][0]
    for field in schema(topic)["properties"]:
        for edge in edges:
            agree(topic, {**base, field: edge}, True)
        agree(topic, {name: kept for name, kept in base.items() if name != field}, True)
