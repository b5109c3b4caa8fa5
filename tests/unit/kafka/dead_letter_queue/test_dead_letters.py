"""Dead letters keep the bytes and the reason, and there is a budget for them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import pytest

from stream_app.domain.errors import Reason, Rejected
from stream_app.kafka.dead_letter_queue.dead_letters import DeadLetterBudget, dead_letter
from stream_app.kafka.errors import Refusal


@dataclass
class Rec:
    value: bytes | None
    key: bytes | None = b"u1"
    topic: str = "clicks"
    partition: int = 3
    offset: int = 42


REJECTED = Rejected(0, 0, Reason.MALFORMED, "no JSON: é")


def test_bytes_reason_and_place_are_kept() -> None:
    letter = dead_letter(Rec(b"\xff\x00{"), REJECTED, 1_024)
    assert letter.value == b"\xff\x00{"
    assert letter.key == b"u1"
    headers = dict(letter.headers)
    assert headers["reason"] == b"malformed"
    assert headers["detail"].decode() == "no JSON: é"
    assert (headers["topic"], headers["partition"], headers["offset"]) == (b"clicks", b"3", b"42")


def test_a_long_value_is_cut_and_identified() -> None:
    value = bytes(range(256)) * 10
    letter = dead_letter(Rec(value), REJECTED, 100)
    headers = dict(letter.headers)
    assert letter.value == value[:100]
    assert headers["length"] == b"2560"
    assert headers["sha256"].decode() == hashlib.sha256(value).hexdigest()


def test_null_values_and_keys_are_delivered_empty() -> None:
    letter = dead_letter(Rec(None, key=None), REJECTED, 100)
    assert (letter.key, letter.value) == (b"", b"")


def test_the_budget_refuses_a_run_with_too_large_a_share() -> None:
    budget = DeadLetterBudget(share=0.5, run=10)
    budget.spend(9, [REJECTED] * 9)
    with pytest.raises(Refusal, match="no JSON"):
        budget.spend(1, [REJECTED])


def test_a_short_run_is_not_judged_and_a_good_one_starts_anew() -> None:
    budget = DeadLetterBudget(share=0.5, run=10)
    budget.spend(9, [REJECTED] * 9)
    budget.spend(100, [])
    assert budget.ratio == 0
    budget.spend(9, [REJECTED] * 9)
    assert budget.ratio == 1
