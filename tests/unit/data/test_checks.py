"""Lines checked before sending."""

from __future__ import annotations

import json

import pytest

from stream_app.data.checks import Checker
from stream_app.data.lines import Chunk
from stream_app.domain.batch import CLICKS, PURCHASES
from stream_app.domain.errors import Reason

NOW = 1_500_000_000_000
DAY = 86_400_000


def event(kind: str = "login", **fields: object) -> bytes:
    given = {"event_id": "e1", "type": kind, "user_id": "u1", "occurred_at": NOW}
    if kind == "purchase":
        given |= {"value": 10, "currency": "USD"}
    return json.dumps(given | fields).encode()


def check(*lines: bytes, first: int = 1, retention_ms: int | None = None, future_ms=300_000):
    checker = Checker(max_event_bytes=500, future_ms=future_ms, retention_ms=retention_ms)
    return checker.check(Chunk("f.ndjson", first, list(lines), 0), NOW)


def test_events_keep_the_order_of_their_lines_and_go_by_type():
    lines = [event("purchase", user_id="a"), event(user_id="b", occurred_at=NOW - 5), b"",
             event("refund", user_id="a", value=1, currency="USD"), b"  \r"]  # fmt: skip
    checked = check(*lines, first=11)
    assert checked.topic == [PURCHASES, CLICKS, PURCHASES]
    assert checked.user == ["a", "b", "a"]
    assert checked.value == [lines[0], lines[1], lines[3]]
    assert checked.line.tolist() == [11, 12, 14]
    assert checked.at.tolist() == [NOW, NOW - 5, NOW]
    assert checked.bad == []


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", Reason.MALFORMED),
        (b"\xff\xfe", Reason.MALFORMED),
        (b"[1]", Reason.INVALID),
        (event("dance"), Reason.UNKNOWN_TYPE),
        (event(user_id=""), Reason.INVALID),
        (event("purchase", value=1e300), Reason.AMOUNT_OUT_OF_RANGE),
        (event("purchase", currency="usd"), Reason.INVALID),
        (event(city="x" * 600), Reason.TOO_LARGE),
        (event(occurred_at=NOW + DAY), Reason.FUTURE),
        (event(occurred_at=NOW - 20 * DAY), Reason.TOO_OLD),
    ],
)
def test_a_bad_line_has_its_number_and_reason(line, reason):
    checked = check(event(), line, event(), retention_ms=10 * DAY)
    assert len(checked) == 2
    (bad,) = checked.bad
    assert (bad.number, bad.reason, bad.value) == (2, reason, line)
    assert str(bad).startswith(f"f.ndjson:2: {reason}: ")


def test_bad_lines_of_both_topics_come_in_order():
    checked = check(b"{", event("purchase", value=-1), b"{", event("purchase", value="x"))
    assert [bad.number for bad in checked.bad] == [1, 2, 3, 4]


def test_history_is_not_too_old_when_it_keeps_its_time():
    assert len(check(event(occurred_at=NOW - 3000 * DAY))) == 1


def test_every_currency_is_taken():
    lines = [event("purchase", currency=code) for code in ("EUR", "JPY", "EUR")]
    checked = check(*lines, event("add_to_cart", price=2.5, currency="CHF", quantity=1))
    assert len(checked) == 4
    assert checked.bad == []


def test_only_what_stands_before_a_line():
    checked = check(event(), event("purchase"), b"{", event()).before(3)
    assert checked.topic == [CLICKS, PURCHASES]
    assert checked.line.tolist() == [1, 2]
    assert len(checked.at) == len(checked.user) == 2


def test_a_dead_letter_keeps_the_original():
    (bad,) = check(b'{"caf\xc3\xa9\xff').bad
    letter = json.loads(bad.dead_letter())
    assert letter.keys() == {"file", "line", "reason", "detail", "value"}
    assert (letter["file"], letter["line"], letter["reason"]) == ("f.ndjson", 1, "malformed")
    assert letter["value"] == '{"café\\xff'
