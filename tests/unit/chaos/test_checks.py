"""The checker finds each way in which topics can be wrong, and nothing in those that are right."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from chaos import checker
from chaos.changelog import CENTS, EVENTS, LAYOUT, META, VERSION
from chaos.checks import DAY_MS, check_all
from chaos.feed import poison
from chaos.inputs import event
from chaos.records import Record, Topic
from support.traffic import TOPICS, Traffic

FIELDS = [["version", "<u4", [], "", 0], [CENTS, "<i8", [1], "", 0], [EVENTS, "<u4", [1], "", 0]]
ROW = np.dtype([("layout", "<u8"), ("version", "<u4"), (CENTS, "<i8", (1,)), (EVENTS, "<u4", (1,))])
FINGERPRINT = 0xC0FFEE
BORN, DAY = 1_700_000_000_000, 19_700 * DAY_MS
Logs = dict[str, list[tuple[bytes, bytes | None, dict[str, bytes]]]]


def click(number: int, user: str = "ann", **fields: Any) -> bytes:
    made = {"event_id": f"c{number}", "type": "search", "user_id": user, "occurred_at": DAY + 5}
    return json.dumps(made | fields).encode()


def bought(number: int, value: float, user: str = "ann") -> bytes:
    made = {"event_id": f"p{number}", "type": "purchase", "user_id": user, "occurred_at": DAY + 5}
    return json.dumps(made | {"value": value, "currency": "USD"}).encode()


def meta(clicks: int, purchases: int, time: int) -> tuple[bytes, bytes, dict[str, bytes]]:
    told = {"next": {"clicks": clicks, "purchases": purchases}, "time": time, "more": "of it"}
    return META, json.dumps(told).encode(), {}


def row(user: str, events: int, cents: int, version: int) -> tuple[bytes, bytes, dict[str, bytes]]:
    made = np.zeros(1, ROW)
    made["layout"], made[EVENTS], made[CENTS], made[VERSION] = FINGERPRINT, events, cents, version
    return user.encode(), made.tobytes() + b"\0" * 4, {}


def change(
    user: str, version: int, tag: str, previous: Any, value: Any, offset: int = 0
) -> tuple[bytes, bytes, dict[str, bytes]]:
    action = "added" if previous is None else "removed" if value is None else "updated"
    cause = {"topic": "clicks", "partition": 0, "offset": offset, "event_id": "c1"}
    told = {
        "change_id": f"{user}:{BORN}:{version}", "user_id": user, "tag": tag, "action": action,
        "value": value, "previous": previous, "version": version, "valid_until": None,
        "cause": cause,
    }  # fmt: skip
    return user.encode(), json.dumps(told).encode(), {}


def state(user: str, version: int, **tags: Any) -> tuple[bytes, bytes, dict[str, bytes]]:
    told = {name: {"value": value} for name, value in tags.items()}
    return (
        user.encode(),
        json.dumps({"user_id": user, "version": version, "tags": told}).encode(),
        {},
    )


def letter(topic: str, offset: int, value: bytes) -> tuple[bytes, bytes, dict[str, bytes]]:
    place = {"topic": topic.encode(), "partition": b"0", "offset": b"%d" % offset}
    return b"k", value, {"reason": b"malformed", **place}


def sample(kind: str, at: int, **fields: Any) -> tuple[bytes, bytes, dict[str, bytes]]:
    return b"k", json.dumps({"kind": kind, "at": at, "partition": 0} | fields).encode(), {}


def model(version: int | str, value: bytes | None = b"{}") -> Any:
    return f"buys:{version}".encode(), value, {}


def logs() -> Logs:
    """What an application of one partition leaves that lost and doubled nothing."""
    later = DAY + 2 * DAY_MS + 7
    description = json.dumps({"fields": FIELDS}).encode()
    person = {"user_id": "ann", "task": "buys"}
    return {
        "clicks": [
            (b"ann", value, {})
            for value in (
                click(1), click(2), b"{", click(2), click(3, "bob"), click(4, occurred_at=later)
            )
        ],
        "purchases": [
            (b"ann", bought(1, 19.99), {}), (b"ann", b"", {}), (b"ann", bought(2, 1), {})
        ],
        "changelog": [
            meta(3, 1, DAY + 5), (LAYOUT + b"%016x" % FINGERPRINT, description, {}),
            row("ann", 3, 1999, 2),
            meta(6, 3, later), row("ann", 4, 2099, 2), row("ann", 5, 2099, 3), row("bob", 1, 0, 1),
        ],
        "tags": [
            change("ann", 1, "level", None, "low"), change("ann", 2, "owl", None, True),
            change("ann", 3, "level", "low", "high"), change("bob", 1, "owl", None, True),
        ],
        "tag-state": [
            state("ann", 2, level="low", owl=True), state("bob", 1, owl=True),
            state("ann", 3, level="high", owl=True),
        ],
        "dead-letters": [letter("clicks", 2, b"{"), letter("purchases", 1, b"")],
        "training": [
            sample("example", DAY + DAY_MS, user_id="ann", tasks={"buys": {}}),
            sample("day", DAY + DAY_MS),
            sample("outcome", DAY + 2 * DAY_MS, sampled_at=DAY + DAY_MS, **person),
            sample("day", DAY + 2 * DAY_MS),
        ],
        "models": [model(1), model("current"), model(2), model("current"), model(1, None)],
    }  # fmt: skip


def judged(found: Logs) -> dict[str, list[str]]:
    """Promises that are broken, with the differences."""
    topics = {
        role: Topic(
            [[Record(role, 0, i, key, value, more) for i, (key, value, more) in enumerate(log)]], 0
        )
        for role, log in found.items()
    }
    return {promise: differences for promise, differences in check_all(topics)[0] if differences}


def swap(log: list[Any], i: int, other: Any) -> None:
    log[i] = other


COUNTED, REFUSED, CHAINS, STATES, SAMPLES, MODELS = (
    "every accepted event is counted once",
    "every refused one is in dead letters once",
    "changes of tags form unbroken chains",
    "tag states are those of the chains",
    "samples are there once",
    "models are published once",
)
WRONG: dict[str, tuple[str, Callable[[Logs], object]]] = {
    "an event lost": (COUNTED, lambda t: swap(t["changelog"], 5, row("ann", 4, 2099, 3))),
    "an event doubled": (COUNTED, lambda t: swap(t["changelog"], 2, row("ann", 4, 1999, 2))),
    "a cent lost": (COUNTED, lambda t: swap(t["changelog"], 5, row("ann", 5, 2098, 3))),
    "a user lost": (COUNTED, lambda t: t["changelog"].pop()),
    "a user forgotten": (COUNTED, lambda t: t["changelog"].append((b"bob", None, {}))),
    "a user of nobody": (COUNTED, lambda t: t["changelog"].append(row("eve", 1, 0, 0))),
    "offsets that fall": (COUNTED, lambda t: t["changelog"].append(meta(5, 3, 2**60))),
    "time that falls": (COUNTED, lambda t: t["changelog"].append(meta(6, 3, DAY))),
    "an input not read": (COUNTED, lambda t: t["clicks"].append((b"ann", click(9), {}))),
    "a letter lost": (REFUSED, lambda t: t["dead-letters"].pop(0)),
    "a letter twice": (REFUSED, lambda t: t["dead-letters"].append(t["dead-letters"][0])),
    "a letter changed": (REFUSED, lambda t: swap(t["dead-letters"], 0, letter("clicks", 2, b"["))),
    "an event refused": (REFUSED, lambda t: t["dead-letters"].append(letter("clicks", 0, b""))),
    "a change lost": (CHAINS, lambda t: t["tags"].pop(1)),
    "the last change lost": (CHAINS, lambda t: t["tags"].pop(2)),
    "a change twice": (CHAINS, lambda t: t["tags"].insert(1, t["tags"][0])),
    "changes of a tag that do not fit": (
        CHAINS,
        lambda t: swap(t["tags"], 2, change("ann", 3, "level", "mid", "high")),
    ),
    "a change of nothing": (
        CHAINS,
        lambda t: swap(t["tags"], 2, change("ann", 3, "level", "low", "low")),
    ),
    "a cause that was not folded": (
        CHAINS,
        lambda t: swap(t["tags"], 3, change("bob", 1, "owl", None, True, offset=6)),
    ),
    "a chain in no row": (CHAINS, lambda t: t["tags"].append(change("eve", 1, "owl", None, True))),
    "a state lost": (STATES, lambda t: t["tag-state"].pop()),
    "a state twice": (STATES, lambda t: t["tag-state"].append(t["tag-state"][2])),
    "a state of nothing": (STATES, lambda t: swap(t["tag-state"], 1, state("bob", 1, owl=False))),
    "a sample twice": (SAMPLES, lambda t: t["training"].append(t["training"][0])),
    "a day end twice": (SAMPLES, lambda t: t["training"].append(t["training"][3])),
    "a day left out": (SAMPLES, lambda t: t["training"].pop(3)),
    "an outcome lost": (
        SAMPLES,
        lambda t: swap(
            t["training"], 0,
            sample("example", DAY + DAY_MS, user_id="bob", tasks={"buys": {}}),
        ),
    ),
    "a model twice": (MODELS, lambda t: t["models"].append(model(2))),
}  # fmt: skip


def test_nothing_is_found_where_nothing_is_wrong() -> None:
    assert judged(logs()) == {}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_found(wrong: str) -> None:
    promise, spoil = WRONG[wrong]
    found = logs()
    spoil(found)
    broken = judged(found)
    assert promise in broken
    assert checker.verdict([(promise, broken[promise])]).startswith("BROKEN")


def test_the_checker_refuses_what_the_traffic_knows_to_be_refused() -> None:
    traffic = Traffic(3)
    made = [*traffic.take(20_000), *(poison(traffic, i) for i in range(40))]
    assert {one.topic for one in made if one.refused} == set(range(len(TOPICS)))
    assert [event(one.topic, one.value) is None for one in made] == [one.refused for one in made]


def test_a_verdict_shows_the_first_differences_and_counts_the_rest() -> None:
    told = checker.verdict([("this holds", []), ("that does not", [f"no {i}" for i in range(9)])])
    assert told.splitlines()[:3] == [
        "ok      this holds",
        "BROKEN  that does not",
        " " * 10 + "no 0",
    ]
    assert told.endswith("and 4 more")
