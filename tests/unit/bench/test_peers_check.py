"""What a contender does wrong is told, and reaches the table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from bench.peers import report, traffic
from bench.peers.check import Reference, Seen, judge
from bench.peers.claims import CLAIMS, ROWS
from bench.peers.job import Job
from bench.peers.roster import CONTENDERS

PHASES = list(traffic.waves(20, 150))


def published() -> list[bytes]:
    """What a contender that does everything right publishes."""
    job, states, found = Job(audit=True), {}, []
    for phase in PHASES:
        for record in phase.records:
            event = orjson.loads(record.value)
            user = event["user_id"]
            states[user], changes = job.step(states.get(user), event)
            found += map(orjson.dumps, changes)
    return found


REFERENCE = Reference()
for each in PHASES:
    REFERENCE.take(each.records)
RIGHT = published()


def verdict(values: list[bytes]) -> Any:
    seen = Seen()
    seen.take(values)
    return judge(REFERENCE, seen, features=seen.features)


def is_change(value: bytes) -> bool:
    return b'"version"' in value and b'"mark-' not in value


def test_all_right_is_equal_and_once() -> None:
    assert verdict(RIGHT).once


def test_a_change_that_comes_twice_is_told_and_does_not_make_it_wrong() -> None:
    found = verdict([*RIGHT, next(filter(is_change, RIGHT))])
    assert found.equal
    assert not found.once
    assert (found.repeated, found.contradicting) == (1, 0)


def test_another_change_of_the_same_version_contradicts() -> None:
    twin = orjson.loads(next(filter(is_change, RIGHT))) | {"value": "x"}
    assert verdict([*RIGHT, orjson.dumps(twin)]).contradicting == 1


def test_a_lost_change_is_missing() -> None:
    first = next(filter(is_change, RIGHT))
    user = orjson.loads(first)["user_id"].encode()
    later = [value for value in RIGHT if is_change(value) and user in value and value != first]
    assert later, "the user's chain goes on behind the gap"
    found = verdict([value for value in RIGHT if value != first])
    assert (found.missing, found.once) == (1, False)


def test_an_event_counted_twice_is_told_by_its_feature() -> None:
    wrong = [value for value in RIGHT if b'"audit"' in value]
    last = orjson.loads(wrong[-1]) | {"events_30d": 10_000}
    found = verdict([*RIGHT, orjson.dumps(last)])
    assert found.features_differ == 1
    assert "events_30d is 10000" in found.example


RATE = {
    "events_per_second": 1000.0, "steady": True, "window_events": 9_000, "window_seconds": 9.0,
    "events": 10_000, "seconds": 12.0,
    "cpu_us_per_event": 9.0, "broker_us_per_event": 2.0, "peak_bytes": 5_000_000,
    "warm_up_seconds": 3.0, "load_average": 0.5, "tags_differ": 0,
}  # fmt: skip


def test_a_contender_that_is_wrong_or_failed_is_in_the_table(tmp_path: Path) -> None:
    right = {"users": 9, "features_differ": 0, "tags_differ": 0, "equal": True, "once": True}
    right |= {"kills_amid_a_wave": 2}
    wrong = right | {"features_differ": 4, "equal": False, "once": False}
    wrong |= {"repeated": 7, "contradicting": 2, "missing": 0}
    misled = right | {"tags_differ": 5, "equal": False, "once": False}
    misled |= {"repeated": 1, "contradicting": 0, "missing": 0}
    idle, bad = right | {"kills_amid_a_wave": 1}, RATE | {"tags_differ": 3, "steady": False}
    results = {
        "contenders": {
            "stream_app": {"check": right, "kill": right, "rate": [RATE, {"failed": "x"}]},
            "faust": {"check": wrong, "kill": wrong, "rate": [bad]},
            "quix": {"check": right, "kill": idle, "rate": [bad]},
            "bytewax": {"check": right, "kill": misled, "rate": []},
            "bytewax_fast": {"check": right, "rate": [RATE]},
            "flink": {"check": {"failed": "no Java"}},
        }
    }
    page = tmp_path / "page.md"
    page.write_text(f"a\n{report.BEGIN}\nwhat was there\n{report.END}\nb\n")
    report.write_page(results, page)
    text = page.read_text()
    assert "| 1,000 | 9 | 2 | 5 | yes | equal, each change once |" in text
    assert "| 1,000 (not steady) | 9 | 2 | 5 | **wrong** for 3 users of a backlog |" in text
    assert "equal, each change once (1 of 2 kills hit it at work) |" in text
    assert "**wrong** for 4 of 9 users; 7 changes twice, 2 of them with other content" in text
    assert "state right, its changes lead to **wrong** tags of 5 of 9 users; 1 changes" in text
    assert "not tried: it keeps nothing" in text
    assert "| 1,000 (9) | 9,000 in 9.0 | 10,000 in 12.0 | 3 | 0.5 |" in text
    assert "- stream_app, rate: x" in text
    assert "- PyFlink, exactly once, check: no Java" in text
    assert "what was there" not in text
    page.write_text("nothing")
    with pytest.raises(ValueError, match="lacks"):
        report.write_page(results, page)


def test_every_contender_has_its_claims() -> None:
    assert {c.name for c in CONTENDERS} == CLAIMS.keys()
    assert {len(claims) for claims in CLAIMS.values()} == {len(ROWS)}
