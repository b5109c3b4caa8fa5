"""The checker finds each way in which topics can be wrong, and nothing in those that are right."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from chaos import checker
from chaos.changelog import BORN as BEGAN
from chaos.changelog import CENTS, EVENTS, LAYOUT, META, VERSION
from chaos.checks import check_all
from chaos.feed import poison
from chaos.inputs import event
from chaos.lives import DAY_MS, KEPT, Retention
from chaos.records import Record, Topic
from support.traffic import TOPICS, Traffic

FIELDS = [
    [VERSION, "<u4", [], "", 0], [BEGAN, "<i8", [], "", 0],
    [CENTS, "<i8", [1], "", 0], [EVENTS, "<u4", [1], "", 0],
]  # fmt: skip
ROW = np.dtype(
    [("layout", "<u8"), *((name, kind, tuple(shape)) for name, kind, shape, *_ in FIELDS)]
)
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


def row(
    user: str, events: int, cents: int, version: int, born: int = BORN
) -> tuple[bytes, bytes, dict[str, bytes]]:
    made = np.zeros(1, ROW)
    made[BEGAN] = born
    made["layout"], made[EVENTS], made[CENTS], made[VERSION] = FINGERPRINT, events, cents, version
    return user.encode(), made.tobytes() + b"\0" * 4, {}


def change(
    user: str,
    version: int,
    tag: str,
    previous: Any,
    value: Any,
    offset: int | None = 0,
    number: int = 0,
    born: int = BORN,
) -> tuple[bytes, bytes, dict[str, bytes]]:
    action = "added" if previous is None else "removed" if value is None else "updated"
    cause = {"topic": "clicks", "partition": number, "offset": offset, "event_id": "c1"}
    caused = None if offset is None else cause
    told = {
        "change_id": f"{user}:{born}:{version}", "user_id": user, "tag": tag, "action": action,
        "value": value, "previous": previous, "version": version, "valid_until": None,
        "cause": caused,
    }  # fmt: skip
    return user.encode(), json.dumps(told).encode(), {}


def state(
    user: str, version: int, born: int = BORN, **tags: Any
) -> tuple[bytes, bytes, dict[str, bytes]]:
    told = {name: {"value": value} for name, value in tags.items()}
    found = {"user_id": user, "born": born, "version": version, "tags": told}
    return user.encode(), json.dumps(found).encode(), {}


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
            change("ann", 3, "level", "low", "high"),
            change("bob", 1, "owl", None, True, offset=4),
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


def standing(
    following: dict[str, int], busy: str = "", was: Sequence[int] = ()
) -> tuple[bytes, bytes, dict[str, bytes]]:
    return META, json.dumps({"next": following, "time": DAY, "busy": busy, "was": was}).encode(), {}


def routed(
    user: str, name: str, number: int, offset: int, value: bytes
) -> tuple[bytes, bytes, dict[str, bytes]]:
    place = {"partition": b"%d" % number, "offset": b"%d" % offset}
    return user.encode(), value, {"input": name.encode(), "topic": name.encode()} | place


def spread() -> dict[str, list[Any]]:
    """Two partitions, later three: ann stays on the first one, bob goes from the second to the
    third; of each, one event was routed."""
    layout = LAYOUT + b"%016x" % FINGERPRINT, json.dumps({"fields": FIELDS}).encode(), {}
    gone = b"bob", None, {}
    return {
        "clicks": [
            [(b"ann", click(1), {}), (None, click(2, "bob"), {})],
            [(b"bob", click(3, "bob"), {})],
            [(b"bob", click(4, "bob"), {}), (b"bob", click(2, "bob"), {})],
        ],
        "purchases": [[], [(None, bought(1, 5), {})]],
        "routed": [
            [routed("ann", "purchases", 1, 0, bought(1, 5))],
            [routed("bob", "clicks", 0, 1, click(2, "bob"))],
        ],
        "changelog": [
            [
                standing({"clicks": 2, "purchases": 0, "routed": 1}), layout, row("ann", 2, 500, 1),
                standing({"clicks": 2, "purchases": 0, "routed": 1}, "repartition"),
                standing({"clicks": 2, "purchases": 0, "routed": 1}, was=[2]),
            ],
            [
                standing({"clicks": 1, "purchases": 1, "routed": 0}), layout, row("bob", 1, 0, 1),
                standing({"clicks": 1, "purchases": 1, "routed": 1}), row("bob", 2, 0, 1),
                standing({"clicks": 1, "purchases": 1, "routed": 1}, "repartition"), gone,
                standing({"clicks": 1, "purchases": 1, "routed": 1}, was=[2]),
            ],
            [
                standing({}, "repartition"), layout, row("bob", 2, 0, 1),
                standing({"clicks": 0, "routed": 0}, was=[2]),
                standing({"clicks": 2, "routed": 0}, was=[2]), row("bob", 3, 0, 2),
            ],
        ],
        "tags": [
            [change("ann", 1, "owl", None, True)],
            [change("bob", 1, "owl", None, True, offset=1)],
            [change("bob", 2, "level", None, "low", number=2)],
        ],
        "tag-state": [
            [state("ann", 1, owl=True)],
            [state("bob", 1, owl=True), gone],
            [state("bob", 1, owl=True), state("bob", 2, owl=True, level="low")],
        ],
        "dead-letters": [[]],
    }  # fmt: skip


def left() -> Logs:
    """Who is idle for four days is forgotten: ann comes back after two and after six, bob after
    four and a half, before time alone has ended him; cid goes and stays away."""
    layout = LAYOUT + b"%016x" % FINGERPRINT, json.dumps({"fields": FIELDS}).encode(), {}
    gone = b"ann", None, {}

    def after(days: float) -> int:
        return DAY + int(days * DAY_MS)

    return {
        "clicks": [
            (b"ann", value, {})
            for value in (
                click(1, occurred_at=DAY), click(2, "bob", occurred_at=DAY),
                click(3, "cid", occurred_at=DAY), click(4, occurred_at=after(2)),
                click(5, "bob", occurred_at=after(4.5)), click(6, "dan", occurred_at=after(7)),
                click(1, occurred_at=after(8)),
            )
        ],
        "purchases": [],
        "changelog": [
            meta(3, 0, DAY), layout, row("ann", 1, 0, 1), row("bob", 1, 0, 2), row("cid", 1, 0, 0),
            meta(4, 0, after(2)), row("ann", 2, 0, 1),
            meta(5, 0, after(4.5)), row("bob", 1, 0, 1, after(4.5)),
            meta(6, 0, after(7)), row("dan", 1, 0, 0, after(7)), gone, (b"cid", None, {}),
            meta(7, 0, after(8)), row("ann", 1, 0, 1, after(8)),
        ],
        "tags": [
            change("ann", 1, "owl", None, True),
            change("bob", 1, "owl", None, True, offset=1),
            change("bob", 2, "level", None, "low", offset=1),
            change("bob", 3, "owl", True, None, offset=None),
            change("bob", 4, "level", "low", None, offset=None),
            change("bob", 1, "owl", None, True, offset=4, born=after(4.5)),
            change("ann", 2, "owl", True, None, offset=None),
            change("ann", 1, "owl", None, True, offset=6, born=after(8)),
        ],
        "tag-state": [
            state("ann", 1, owl=True), state("bob", 2, owl=True, level="low"),
            (b"bob", None, {}), state("bob", 1, after(4.5), owl=True),
            gone, state("ann", 1, after(8), owl=True),
        ],
        "dead-letters": [],
    }  # fmt: skip


def judged(found: Logs, retention: Retention = KEPT) -> dict[str, list[str]]:
    """Promises that are broken, with the differences."""
    return judged_parts({role: [log] for role, log in found.items()}, retention)


def judged_parts(found: dict[str, list[Any]], retention: Retention = KEPT) -> dict[str, list[str]]:
    """The same of topics with several partitions."""
    topics = {
        role: Topic(
            [
                [Record(role, n, i, key, value, more) for i, (key, value, more) in enumerate(log)]
                for n, log in enumerate(logs)
            ],
            0,
        )
        for role, logs in found.items()
    }
    return {
        promise: differences
        for promise, differences in check_all(topics, retention)[0]
        if differences
    }


def swap(log: list[Any], i: int, other: Any) -> None:
    log[i] = other


COUNTED, REFUSED, CHAINS, STATES, SAMPLES, MODELS, ROUTED = (
    "every accepted event is counted once",
    "every refused one is in dead letters once",
    "changes of tags form unbroken chains",
    "tag states are those of the chains",
    "samples are there once",
    "models are published once",
    "what was routed is there once",
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


SPREAD_WRONG: dict[str, tuple[str, Callable[[dict[str, list[Any]]], object]]] = {
    "a routed event counted where it was read too": (
        COUNTED,
        lambda t: t["changelog"][0].append(row("bob", 1, 0, 0)),
    ),
    "a routed event not counted": (
        COUNTED,
        lambda t: swap(t["changelog"][0], 2, row("ann", 1, 0, 1)),
    ),
    "an event that was not routed": (COUNTED, lambda t: t["routed"][1].pop()),
    "what was routed and not read": (
        COUNTED,
        lambda t: t["routed"][2:] or t["routed"].append([t["routed"][1].pop()]),
    ),
    "an event routed twice": (ROUTED, lambda t: t["routed"][1].append(t["routed"][1][0])),
    "a routed event changed": (
        ROUTED,
        lambda t: swap(t["routed"][1], 0, routed("bob", "clicks", 0, 1, click(9, "bob"))),
    ),
    "an event routed from nowhere": (
        ROUTED,
        lambda t: t["routed"][1].append(routed("bob", "clicks", 0, 7, click(9, "bob"))),
    ),
    "a user lost on his way": (COUNTED, lambda t: swap(t["changelog"][2], 2, row("eve", 2, 0, 1))),
    "a user who was not taken away": (COUNTED, lambda t: t["changelog"][1].pop(6)),
    "an event lost on the way": (
        COUNTED,
        lambda t: swap(t["changelog"][2], 2, row("bob", 1, 0, 1)),
    ),
    "events from before the move counted again": (
        COUNTED,
        lambda t: swap(t["changelog"][2], 5, row("bob", 6, 0, 2)),
    ),
    "a repeat from before the move counted": (
        COUNTED,
        lambda t: swap(t["changelog"][2], 5, row("bob", 4, 0, 2)),
    ),
    "a chain that begins again": (
        CHAINS,
        lambda t: swap(t["tags"][2], 0, change("bob", 1, "level", None, "low", number=2)),
    ),
    "a cause that is another's event": (
        CHAINS,
        lambda t: swap(t["tags"][1], 0, change("bob", 1, "owl", None, True, offset=0)),
    ),
    "a state left behind": (STATES, lambda t: t["tag-state"][1].pop()),
    "a state lost on its way": (STATES, lambda t: t["tag-state"][2].clear()),
}


IDLE = Retention(4 * DAY_MS)
LEFT_WRONG: dict[str, tuple[str, Callable[[Logs], object]]] = {
    "forgotten early": (COUNTED, lambda t: swap(t["changelog"], 9, meta(6, 0, DAY + 6 * DAY_MS))),
    "forgotten by an event that is early": (
        COUNTED,
        lambda t: swap(t["clicks"], 4, (b"", click(5, "bob", occurred_at=DAY + 3 * DAY_MS), {})),
    ),
    "not forgotten by an event": (COUNTED, lambda t: swap(t["changelog"], 8, row("bob", 2, 0, 3))),
    "counted on": (
        COUNTED,
        lambda t: swap(t["changelog"], 8, row("bob", 2, 0, 1, DAY + 9 * DAY_MS // 2)),
    ),
    "not forgotten by time": (COUNTED, lambda t: t["changelog"].pop(12)),
    "begun at the same time again": (
        COUNTED,
        lambda t: swap(t["changelog"], 14, row("ann", 1, 0, 1, BORN)),
    ),
    "a tag that is kept": (CHAINS, lambda t: t["tags"].pop(6)),
    "a chain that goes on": (
        CHAINS,
        lambda t: swap(t["tags"], 7, change("ann", 3, "owl", None, True, offset=6)),
    ),
    "a chain for nothing": (
        CHAINS,
        lambda t: t["tags"].append(change("dan", 1, "owl", None, True, offset=5, born=BORN)),
    ),
    "a state that is kept": (STATES, lambda t: t["tag-state"].pop(2)),
    "a state that is kept of who never comes back": (STATES, lambda t: t["tag-state"].pop()),
    "a state that goes too soon": (STATES, lambda t: t["tag-state"].append((b"bob", None, {}))),
}


def test_nothing_is_found_where_nothing_is_wrong() -> None:
    assert judged(logs()) == {}
    assert judged_parts(spread()) == {}
    assert judged(left(), IDLE) == {}


def test_forgetting_is_wrong_where_nobody_may_be_forgotten() -> None:
    assert COUNTED in judged(left())


@pytest.mark.parametrize("wrong", LEFT_WRONG)
def test_what_is_wrong_with_who_was_forgotten_is_found(wrong: str) -> None:
    promise, spoil = LEFT_WRONG[wrong]
    found = left()
    spoil(found)
    assert promise in judged(found, IDLE)


@pytest.mark.parametrize("wrong", SPREAD_WRONG)
def test_what_is_wrong_with_what_was_routed_and_moved_is_found(wrong: str) -> None:
    promise, spoil = SPREAD_WRONG[wrong]
    found = spread()
    spoil(found)
    assert promise in judged_parts(found)


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
