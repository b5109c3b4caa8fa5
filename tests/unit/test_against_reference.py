"""Any stream in any split gives the features and tags that the brute-force reference gives."""

from __future__ import annotations

from functools import cache
from math import exp, sqrt
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import support
import yaml
from hypothesis import Phase, given, settings
from support.reference import Reference
from support.streams import (
    CURRENCIES,
    DAY,
    HOUR,
    START,
    Record,
    Stream,
    encode,
    long_life,
    moment,
    streams,
)

from stream_app.engine import Profiles, Program, load_catalogue, step
from stream_app.engine.reading import plain_rows

#: Only a failure takes that long: it is shrunk.
pytestmark = pytest.mark.timeout(400)

EVERY_KIND = str(Path(next(iter(support.__path__))) / "every_kind.yaml")
#: Explaining a failure beside shrinking it takes longer than reading it.
MADE_UP = settings(phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink])
#: How long nothing happens before a look in the middle of a life.
PAUSES = (0, 1, HOUR, 23 * HOUR, 6 * DAY)
#: Relative error of what is added up in floats.
CLOSE = 1e-6


@cache
def program(catalogue: str) -> Program:
    return load_catalogue(catalogue, budget=10_000).compile()


@cache
def declared(catalogue: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(Path(program(catalogue).catalogue.file).read_text())
    return found


def fold(catalogue: str, stream: Stream) -> Profiles:
    """Profiles after the stream, and after all that is due until the look."""
    profiles = Profiles(program(catalogue))
    for records in stream.batches():
        assert not step(profiles, records).rejected
    now = profiles.time + stream.look_ms
    step(profiles, [[], []], floor=now)
    return profiles


def seen(catalogue: str, profiles: Profiles) -> dict[str, dict[str, Any]]:
    """Per user every feature as plain values."""
    rows = profiles.gather(np.arange(len(profiles)))
    values = program(catalogue).features.values(rows, profiles.time, profiles.dictionary)
    return dict(zip(profiles.users, plain_rows(values, len(rows)), strict=True))


def check_features(
    name: str, declaration: dict[str, Any], got: Any, wanted: Any, slots: dict[str, float]
) -> None:
    """Fail unless `got` is what the reference wants, as exactly as its kind promises."""
    kind = next(iter(declaration))
    if wanted is None:
        assert got is None or got == [], name
    elif got is None:
        pytest.fail(f"{name} is missing, wanted {wanted}")
    elif kind in ("count", "sum", "max", "sessions", "active_days", "cancellations"):
        assert got == wanted, name
    elif kind == "distinct":
        assert abs(got - wanted) <= 0.5 + 4 * linear_counting_error(wanted), name
    elif kind == "top":
        shares = {entry["value"]: entry["share"] for entry in got}
        assert shares == pytest.approx(dict(wanted), rel=CLOSE), name
        assert list(shares.values()) == sorted(shares.values(), reverse=True), name
    elif kind == "usual":
        assert slots[got] == pytest.approx(max(slots.values()), rel=CLOSE), name
    elif isinstance(wanted, str):
        assert got == wanted, name
    else:
        assert got == pytest.approx(wanted, rel=CLOSE), name


def linear_counting_error(n: float, registers: int = 64) -> float:
    """Standard error of the estimate of n distinct texts (Whang et al. 1990, formula 8)."""
    load = n / registers
    return sqrt(registers * (exp(load) - load - 1))


def compare(catalogue: str, stream: Stream, profiles: Profiles) -> None:
    """Check `profiles` against the reference of the whole stream."""
    expected = Reference(declared(catalogue))
    for topic, event in stream.events:
        expected.add(topic, event)
    check(catalogue, expected, profiles)


def check(catalogue: str, expected: Reference, profiles: Profiles) -> None:
    """Check features and tags without memory of every user against the reference."""
    declarations = declared(catalogue)["features"]
    held = without_memory(catalogue, profiles)
    for user, features in seen(catalogue, profiles).items():
        wanted = expected.features(user, profiles.time)
        for name, declaration in declarations.items():
            decays = "top" in declaration or "usual" in declaration
            slots = expected.decayed(name, user) if decays else {}
            check_features(name, declaration, features[name], wanted[name], slots)
        assert held[user] == expected.tags(user, profiles.time)


@given(stream=streams(CURRENCIES))
@settings(MADE_UP, max_examples=18)
def test_every_kind_is_as_the_reference_says(stream: Stream) -> None:
    compare(EVERY_KIND, stream, fold(EVERY_KIND, stream))


@given(stream=streams(["USD"]))
@settings(MADE_UP, max_examples=12)
def test_retail_is_as_the_reference_says(stream: Stream) -> None:
    compare("retail", stream, fold("retail", stream))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("catalogue", [EVERY_KIND, "retail"], ids=["every_kind", "retail"])
def test_long_lives_are_as_the_reference_says(catalogue: str, seed: int) -> None:
    random = Random(seed)
    stream = long_life(random, 300)
    expected = Reference(declared(catalogue))
    profiles = Profiles(program(catalogue))
    waiting = list(stream.events)
    for number, records in enumerate(stream.batches()):
        step(profiles, records)
        arrived = sum(map(len, records))
        for topic, event in waiting[:arrived]:
            expected.add(topic, event)
        del waiting[:arrived]
        if number % 8 == 0:
            step(profiles, [[], []], floor=profiles.time + random.choice(PAUSES))
            check(catalogue, expected, profiles)


@given(stream=streams(CURRENCIES))
@settings(MADE_UP, max_examples=12)
def test_splits_into_rounds_do_not_matter(stream: Stream) -> None:
    same_in_one_round(stream)


@pytest.mark.parametrize("seed", [10, 24])
def test_splits_of_a_long_life_do_not_matter(seed: int) -> None:
    same_in_one_round(long_life(Random(seed), 300))


def same_in_one_round(stream: Stream) -> None:
    """Check that one round gives what the stream's own rounds give."""
    split, whole = fold(EVERY_KIND, stream), fold(EVERY_KIND, stream.merged())
    assert split.time == whole.time
    one, other = seen(EVERY_KIND, split), seen(EVERY_KIND, whole)
    for user, features in one.items():
        for name, value in features.items():
            assert rounded(value) == rounded(other[user][name]), name
    assert without_memory(EVERY_KIND, split) == without_memory(EVERY_KIND, whole)


def rounded(value: Any) -> Any:
    """Shares to nine digits, and their order only as far as that; all else exactly."""
    if isinstance(value, list):
        return sorted((round(entry["share"], 9), entry["value"]) for entry in value)
    return value


def without_memory(catalogue: str, profiles: Profiles) -> dict[str, dict[str, Any]]:
    """Per user the tags that a look at the features alone decides."""
    names = set(Reference(declared(catalogue)).stateless())
    rows = profiles.gather(np.arange(len(profiles)))
    states = (
        program(catalogue).tags.state(rows, i, profiles.dictionary.values)
        for i in range(len(profiles))
    )
    return {
        user: {tag: held["value"] for tag, held in state.items() if tag in names}
        for user, state in zip(profiles.users, states, strict=True)
    }


def test_a_burst_of_copies_counts_once_up_to_32_events_back() -> None:
    def login(number: int) -> tuple[str, dict[str, Any]]:
        fields = {"type": "login", "user_id": "ann", "occurred_at": START + number}
        return "clicks", {"event_id": f"e{number}", **fields}

    burst = [login(n) for n in (*range(40), *range(8, 40), *range(8), *range(20, 30))]
    cuts = [i // 7 for i in range(len(burst))]
    stream = Stream(burst, cuts, 0)
    profiles = fold(EVERY_KIND, stream)
    compare(EVERY_KIND, stream, profiles)
    assert seen(EVERY_KIND, profiles)["ann"]["any_48h"] == 48


def test_due_rows_are_looked_at_as_time_passes() -> None:
    """Time passes in small steps without events; after each one all tags are right."""
    happened = [
        ("clicks", "add_to_cart", 0, {}),
        ("purchases", "purchase", 5, {"value": 80, "currency": "USD"}),
        ("purchases", "purchase", 60, {"value": 40, "currency": "USD"}),
    ]
    events = [
        (topic, {"event_id": f"e{hour}", "type": kind, "user_id": "ann"}
         | {"occurred_at": START + hour * HOUR} | fields)
        for topic, kind, hour, fields in happened
    ]  # fmt: skip
    stream = Stream(events, [0, 1, 2], 0)
    profiles = fold(EVERY_KIND, stream)
    last = moment(events[-1][1])
    for now in range(last, last + 40 * DAY, 17 * HOUR):
        step(profiles, [[], []], floor=now)
        compare(EVERY_KIND, stream, profiles)


def test_what_the_streams_are_made_of_is_accepted() -> None:
    event = {"event_id": "e", "type": "login", "user_id": "ann", "occurred_at": START}
    profiles = Profiles(program(EVERY_KIND))
    done = step(profiles, [[Record(encode(event), START, 0)], []])
    assert done.events == (1, 0)
    assert not done.rejected
