"""Tag changes for tests of what follows and shows them."""

from __future__ import annotations

from typing import Any

from stream_app.domain.because import Because
from stream_app.domain.changes import Cause, Source, TagChange
from stream_app.domain.clock import from_rfc3339

AT = from_rfc3339("2017-10-03T18:22:10.500Z")
CAUSE = Cause("purchases", 1, 5, "purchase-42")
SPENT = [Because("spend_30d", 531.5, ">", 500.0)]


def change(user: str = "h0001", tag: str = "big_spender", **fields: Any) -> TagChange:
    """A change that adds a tag to a user; `fields` override what it says."""
    given: dict[str, Any] = {
        "change_id": f"{user}:0:1", "user_id": user, "tag": tag, "cls": "spending",
        "action": "added", "value": True, "previous": None, "confidence": 1.0, "version": 1,
        "occurred_at": AT, "emitted_at": AT + 20, "valid_until": None,
        "source": Source("rule", tag, "r1"), "because": SPENT, "cause": CAUSE,
    }  # fmt: skip
    return TagChange(**(given | fields))
