"""Rules that compare users with all users: by the population's model, and without one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from support.clicks import DAY, HOUR, START, click, purchase
from support.partition import program, records
from support.reference import Reference
from support.streams import Stream, streams

from stream_app.domain.errors import DeclarationError
from stream_app.engine import Profiles, step
from stream_app.engine.catalogue import load_catalogue
from stream_app.engine.models import Models
from stream_app.engine.outputs import tag_states
from stream_app.engine.replay import Event, Replay, ReplayRecord
from stream_app.engine.step import Step
from stream_app.learning.clusters import POPULATION
from stream_app.learning.snapshot import Model, Quantiles, Trained
from stream_app.learning.training import columns_id

FEATURES = """
shop: {currency: USD, clock: event}
features:
  clicks_24h: {count: clicks, window: 24h}
  spend_30d: {sum: purchase.value, window: 30d}
  hours_since_click: {hours_since: page_view}
  orders_7d: {count: purchase, window: 7d}
"""
TAGS = """
tags:
  top_spender:
    class: spending
    when: spend_30d >= q90.spend_30d
    until: spend_30d < q75.spend_30d
  big_spender: {class: spending, when: 'spend_30d >= coalesce(q90.spend_30d, 100)'}
  size: {class: spending, values: {high: spend_30d > q75.spend_30d, low: spend_30d > 0}}
  quiet: {class: behaviour, when: hours_since_click >= q90.hours_since_click}
"""
LEARNING = "learning: {segments: {features: [clicks_24h], rate: 1}}\n"
TEXT = FEATURES + TAGS + LEARNING
SHARES = {"q1": 0.01, "q50": 0.5, "q75": 0.75, "q90": 0.9}


def models(text: str = TEXT, version: int = 1, examples: int = 300, /, **by_name: float) -> Models:
    """The population's model alone: `spend_30d__q90=400` says that one quantile."""
    columns: dict[str, list[tuple[float, float]]] = {}
    for name, value in by_name.items():
        column, _, rank = name.partition("__")
        columns.setdefault(column, []).append((SHARES[rank], value))
    scorer = Quantiles(by_column={name: sorted(of) for name, of in columns.items()})
    given = {
        "kind": "population", "task": POPULATION, "version": version, "parent": None,
        "columns": sorted(columns), "columns_id": columns_id(sorted(columns)), "created_at": 0,
        "trained": Trained(from_=0, to=0, examples=examples, positives=1), "metrics": {},
        "scorer": scorer, "state": "live", "thresholds": [],
    }  # fmt: skip
    learning = program(text).catalogue.learning
    assert learning is not None
    return Models.of(learning, {POPULATION: Model(**given)})


def profiles(text: str = TEXT, /, **by_name: float) -> Profiles:
    made = Profiles(program(text))
    if by_name:
        made.use_models(models(text, **by_name))
    return made


def buys(profiles: Profiles, *bought: tuple[str, int], at: int = START) -> Step:
    first = len(profiles.users)
    values = [purchase(user, first + n, value, at) for n, (user, value) in enumerate(bought)]
    return step(profiles, [[], records(values, at=at)])


def changes(done: Step, *tags: str) -> list[tuple]:
    found = [(c.user_id, c.tag, c.previous, c.value) for c in done.outputs.changes]
    return [change for change in found if change[1] in tags]


def because(done: Step, tag: str) -> list[tuple]:
    (change,) = [c for c in done.outputs.changes if c.tag == tag]
    return [(one.feature, one.value, one.op, one.threshold) for one in change.because]


def test_users_are_compared_with_the_quantile_and_the_reason_shows_it() -> None:
    made = profiles(spend_30d__q75=200, spend_30d__q90=388.5)
    done = buys(made, ("ann", 412), ("bob", 388), ("cid", 200))
    assert changes(done, "top_spender", "size") == [
        ("ann", "top_spender", None, True),
        ("ann", "size", None, "high"),
        ("bob", "size", None, "high"),
        ("cid", "size", None, "low"),
    ]
    assert because(done, "top_spender") == [("spend_30d", 412, ">=", 388.5)]


def test_another_value_of_a_quantile_decides_all_users_anew() -> None:
    made = profiles(spend_30d__q75=200, spend_30d__q90=400)
    buys(made, ("ann", 412), ("bob", 300))
    made.use_models(models(TEXT, 2, spend_30d__q75=290, spend_30d__q90=299))
    done = step(made, [[], []])
    assert changes(done, "top_spender", "big_spender") == [
        ("bob", "top_spender", None, True),
        ("bob", "big_spender", None, True),
    ]
    made.use_models(models(TEXT, 3, spend_30d__q75=301, spend_30d__q90=500))
    done = step(made, [[], []])
    assert changes(done, "top_spender") == [("bob", "top_spender", True, None)]
    assert because(done, "top_spender") == [("spend_30d", 300, "<", 301)]


def test_quantiles_of_a_handful_are_missing() -> None:
    made = profiles()
    made.use_models(models(TEXT, 1, 299, spend_30d__q75=200, spend_30d__q90=388.5))
    done = buys(made, ("ann", 412))
    assert changes(done, "top_spender") == []


def test_without_a_model_quantiles_are_missing_and_coalesce_says_what_holds() -> None:
    made = profiles()
    done = buys(made, ("ann", 412), ("bob", 99))
    assert changes(done, "top_spender", "big_spender", "size") == [
        ("ann", "big_spender", None, True),
        ("ann", "size", None, "low"),
        ("bob", "size", None, "low"),
    ]
    assert because(done, "big_spender") == [
        ("spend_30d", 412, ">=", 100),
    ]


def test_a_column_without_quantiles_is_missing_and_that_is_the_reason() -> None:
    made = profiles(spend_30d__q75=200, spend_30d__q90=400)
    buys(made, ("ann", 412))
    made.use_models(models(clicks_24h__q90=3))
    done = step(made, [[], []])
    assert because(done, "top_spender") == [("q90.spend_30d", None, "missing", None)]


def test_a_replay_has_no_models() -> None:
    replay = Replay(program(TEXT), 2, slice_ms=DAY)
    sent = purchase("ann", 1, 412)
    list(replay.feed([Event(1, "ann", START, ReplayRecord(sent, START, 0))]))
    list(replay.finish())
    (state,) = replay.states()
    assert {name: one["value"] for name, one in state.tags.items()} == {
        "big_spender": True,
        "size": "low",
    }


def test_time_alone_passes_a_quantile_to_the_millisecond() -> None:
    made = profiles(hours_since_click__q90=30.25)
    step(made, [records([click("ann", 1)]), []])
    crossing = START + int(30.25 * HOUR)
    assert changes(step(made, [[], []], floor=crossing - 1), "quiet") == []
    done = step(made, [[], []], floor=crossing)
    assert changes(done, "quiet") == [("ann", "quiet", None, True)]
    assert because(done, "quiet") == [("hours_since_click", 30.25, ">=", 30.25)]


def test_time_passes_the_quantile_of_the_model_in_use() -> None:
    made = profiles(hours_since_click__q90=30)
    step(made, [records([click("ann", 1)]), []])
    made.use_models(models(TEXT, 2, hours_since_click__q90=50))
    step(made, [[], []])
    assert changes(step(made, [[], []], floor=START + 50 * HOUR - 1), "quiet") == []
    done = step(made, [[], []], floor=START + 50 * HOUR)
    assert changes(done, "quiet") == [("ann", "quiet", None, True)]
    made.use_models(models(TEXT, 3, hours_since_click__q90=60))
    assert changes(step(made, [[], []]), "quiet") == [("ann", "quiet", True, None)]
    done = step(made, [[], []], floor=START + 60 * HOUR)
    assert changes(done, "quiet") == [("ann", "quiet", None, True)]


def test_a_model_that_comes_later_finds_those_whom_time_made_quiet() -> None:
    made = profiles()
    step(made, [records([click("ann", 1)]), []])
    step(made, [[], []], floor=START + 40 * HOUR)
    made.use_models(models(hours_since_click__q90=50))
    assert changes(step(made, [[], []]), "quiet") == []
    done = step(made, [[], []], floor=START + 50 * HOUR)
    assert changes(done, "quiet") == [("ann", "quiet", None, True)]


def test_who_waits_for_a_quantile_is_not_looked_at_each_hour() -> None:
    made = profiles(hours_since_click__q90=70)
    step(made, [records([click("ann", 1)]), []])
    step(made, [[], []], floor=START + DAY)  # The last pane of clicks_24h goes.
    assert made.due.tolist() == [START + 70 * HOUR]


conditions = st.sampled_from(
    [
        "hours_since_click >= {q}",
        "hours_since_click > {q} or spend_30d > 3",
        "{q} / 2 < hours_since_click",
        "hours_since_click / 24 >= {q} / 24",
        "hours_since_click - {q} > 0",
        "{q} > 40 and hours_since_click >= {q}",
    ]
)


@given(conditions, st.integers(1, 70), st.lists(st.integers(1, 40), min_size=1, max_size=6))
@settings(max_examples=40)
def test_rules_live_as_with_the_numbers_written_in(
    condition: str, quantile: int, pauses: list[int]
) -> None:
    """Also as time passes, in rounds that come whenever they come."""
    tag = "tags: {t: {class: basic, when: '%s'}}\n"
    named = FEATURES + tag % condition.format(q="q50.hours_since_click") + LEARNING
    written = FEATURES + tag % condition.format(q=f"(0 * hours_since_click + {quantile})")
    one, other = profiles(named, hours_since_click__q50=quantile), profiles(written)
    now = START
    for made in (one, other):
        step(made, [records([click("ann", 1)]), []])
    for pause in pauses:
        now += pause * HOUR
        for made in (one, other):
            step(made, [[], []], floor=now)
        assert values(one) == values(other)


CHECKED = """
tags:
  top: {class: basic, when: spend_30d >= q90.spend_30d}
  most: {class: basic, when: 'orders_7d > q50.orders_7d or clicks_24h > 2 * q50.clicks_24h'}
  quiet: {class: basic, when: q50.hours_since_click < hours_since_click < q90.hours_since_click}
  known: {class: basic, when: has(q50.orders_7d) and orders_7d > 0}
  fallback: {class: basic, when: 'coalesce(hours_since_click, 0) > coalesce(q99.orders_7d, 20)'}
  level: {class: basic, values: {a: spend_30d / q50.spend_30d > 2, b: spend_30d > 0}}
"""


@given(
    stream=streams(["USD"]),
    found=st.dictionaries(
        st.sampled_from(
            [
                f"{name}__{rank}"
                for name in ("spend_30d", "orders_7d", "clicks_24h")
                for rank in ("q50", "q90")
            ]
            + ["hours_since_click__q50", "hours_since_click__q90"]
        ),
        st.sampled_from([0.0, 1.0, 5.5, 24.0, 100.0]),
    ),
)
@settings(max_examples=15)
def test_tags_are_as_the_reference_says(stream: Stream, found: dict[str, float]) -> None:
    text = FEATURES + CHECKED + LEARNING
    rising = {n: max(v, found.get(n.replace("q90", "q50"), v)) for n, v in found.items()}
    made, expected = profiles(text), Reference(yaml.safe_load(text))
    made.use_models(models(text, **rising))
    for batch in stream.batches():
        step(made, batch)
    step(made, [[], []], floor=made.time + stream.look_ms)
    for topic, event in stream.events:
        expected.add(topic, event)
    quantiles = {".".join(name.split("__")[::-1]): value for name, value in rising.items()}
    wanted = {user: expected.tags(user, made.time, quantiles) for user in made.users}
    assert values(made) == {user: held for user, held in wanted.items() if held}


def values(made: Profiles) -> dict[str, Mapping[str, object]]:
    return {
        state.user_id: {name: status["value"] for name, status in state.tags.items()}
        for state in tag_states(made)
        if state.tags
    }


def test_what_rules_compare_with_is_learned_from() -> None:
    learning = program(TEXT).catalogue.learning
    assert learning is not None
    assert learning.quantiles == ("q75.spend_30d", "q90.hours_since_click", "q90.spend_30d")
    assert learning.columns == ("clicks_24h", "spend_30d", "hours_since_click")


def test_thresholds_without_quantiles_are_made_once() -> None:
    plain = program(FEATURES + "tags: {t: {class: basic, when: hours_since_click > 3}}\n")
    assert plain.thresholds({}) is plain.thresholds({"q90.spend_30d": 1.0})
    assert plain.thresholds({}) == {"hours_since_click": (3.0,)}


def test_thresholds_of_quantiles_that_are_not_known_are_left_out() -> None:
    tags = "tags: {t: {class: basic, when: 3 < hours_since_click < q90.hours_since_click}}\n"
    ruled = program(FEATURES + tags + LEARNING)
    assert ruled.thresholds({}) == {"hours_since_click": [3.0]}
    name = "q90.hours_since_click"
    assert ruled.thresholds({name: 50.0}) == {"hours_since_click": [3.0, 50.0]}
    assert ruled.thresholds({name: np.nan}) == {"hours_since_click": [3.0]}


PREDICTION = """\
learning:
  predictions:
    buys:
      features: [spend_30d]
      outcome: orders_7d > 0
      horizon: 7d
      rate: 1
      bands: {mid: 0.2, high: 0.5, top: 0.8, margin: 0.05}
"""


@pytest.mark.parametrize("learning", ["", PREDICTION])
@pytest.mark.parametrize(
    ("tag", "line", "field"),
    [
        ("when: spend_30d > q90.spend_30d", 11, "tags.t.when"),
        ("when: spend_30d > 9\n    until: spend_30d < q50.spend_30d", 12, "tags.t.until"),
        ("values:\n      a: spend_30d > q1.spend_30d", 12, "tags.t.values.a"),
    ],
)
def test_quantiles_without_segments_are_refused_where_they_stand(
    tmp_path: Path, learning: str, tag: str, line: int, field: str
) -> None:
    path = tmp_path / "shop.yaml"
    path.write_text(FEATURES + f"tags:\n  t:\n    class: basic\n    {tag}\n" + learning)
    with pytest.raises(DeclarationError) as caught:
        load_catalogue(path)
    assert str(caught.value).startswith(f"{path}:{line}: {field}: nothing tells q")
    assert "expected `segments` under `learning:`" in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("orders_7d > 0", "orders_7d > q90.orders_7d", "learning.predictions.buys.outcome"),
        ("rate: 1\n", "rate: 1\n      among: spend_30d > q90.spend_30d\n",
         "learning.predictions.buys.among"),
        ("{sum: purchase.value, window: 30d}",
         "{sum: purchase.value, window: 30d, where: value > q90.value}",
         "features.spend_30d.where"),
    ],
)  # fmt: skip
def test_features_and_learning_have_no_quantiles(
    tmp_path: Path, old: str, new: str, field: str
) -> None:
    text = FEATURES + TAGS + PREDICTION + "  segments: {features: [clicks_24h], rate: 1}\n"
    path = tmp_path / "shop.yaml"
    path.write_text(text)
    load_catalogue(path)
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(DeclarationError, match="quantiles of all users are for rules of tags") as c:
        load_catalogue(path)
    assert f" {field}: " in str(c.value)
