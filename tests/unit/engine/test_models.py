"""Models decide tags: who has them, when they change, and why; and nothing without a model."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from support.clicks import CATALOGUE, DAY, HOUR, START, click
from support.learned import (
    FEATURES,
    TEXT,
    learned,
    logistic,
    model,
    models,
    segments,
    snapshots,
    trees,
)
from support.partition import program, records
from support.schemas import validator

from stream_app.domain.changes import encode
from stream_app.domain.errors import DeclarationError
from stream_app.engine import Profiles, step
from stream_app.engine.models import Models
from stream_app.engine.outputs import tag_states
from stream_app.engine.step import Step
from stream_app.learning.sampling import hashes, held_out
from stream_app.learning.scoring import score
from stream_app.learning.training import Example, decode

LEARNED = ("buys", "stays", "segments")
REST = ("spend_30d", "price_7d")


def fold(profiles: Profiles, *values: bytes, floor: int = 0) -> Step:
    return step(profiles, [records(values, at=START + 60 * DAY), []], floor=floor)


def clicked(user: str, times: int, at: int = START, first: int = 0) -> list[bytes]:
    return [click(user, first + n, at=at) for n in range(times)]


def changes(done: Step, *tags: str) -> list[tuple]:
    wanted = tags or LEARNED
    return [
        (c.user_id, c.tag, c.previous, c.value, c.source.kind)
        for c in done.outputs.changes
        if c.tag in wanted
    ]


def tags(profiles: Profiles) -> dict[str, dict]:
    return {
        state.user_id: {t: s["value"] for t, s in state.tags.items() if t in LEARNED}
        for state in tag_states(profiles)
    }


@pytest.fixture
def profiles() -> Profiles:
    made = Profiles(learned())
    made.use_models(models())
    return made


def test_without_models_there_are_no_learned_tags_and_no_error() -> None:
    profiles = Profiles(learned())
    assert changes(fold(profiles, *clicked("ann", 9))) == []
    profiles.use_models(models(buys=None, stays=None, segments=None))
    assert changes(fold(profiles)) == []
    profiles.use_models(models(buys=None, segments=None))
    assert changes(fold(profiles)) == [("ann", "stays", None, True, "model")]


def test_bands_flags_and_segments_with_source_confidence_and_end(profiles) -> None:
    done = fold(profiles, *clicked("ann", 4))
    found = {c.tag: c for c in done.outputs.changes}
    assert changes(done) == [
        ("ann", "buys", None, "high", "model"),
        ("ann", "stays", None, True, "model"),
        ("ann", "segments", None, "s2", "segment"),
    ]
    assert [found[t].cls for t in LEARNED] == ["prediction", "prediction", "segment"]
    assert [found[t].source.revision for t in LEARNED] == ["1", "7", "3"]
    assert [found[t].confidence for t in LEARNED] == [0.5556, 0.5556, 1.0]
    assert found["buys"].valid_until == START + 2 * DAY
    assert found["segments"].valid_until is None
    [state] = tag_states(profiles)
    assert [state.tags[t]["confidence"] for t in LEARNED] == [0.5556, 0.5556, 1.0]
    assert state.tags["visitor"]["confidence"] == 1.0
    for change in done.outputs.changes:
        validator("tags").validate(json.loads(encode(change)))


def test_a_band_is_left_only_beyond_its_margin_and_a_new_probability_is_no_change(profiles) -> None:
    # Odds of (1 + clicks) / 4: .5 lies at the edge of `high`, .556 beyond its margin.
    assert changes(fold(profiles, *clicked("ann", 2)), "buys")[0][3] == "mid"
    assert changes(fold(profiles, *clicked("ann", 1, first=2)), "buys") == []
    assert changes(fold(profiles, *clicked("ann", 1, first=3)), "buys")[0][2:4] == ("mid", "high")
    falling = {"clicks_24h": np.array([3.0, 2.0])} | dict.fromkeys(REST, np.zeros(2))
    judged = profiles.models.over(falling, hashes(["a", "b"]))
    high = int(profiles.program.layout.block(profiles.gather(np.array([0])), "tag_value")[0, 3])
    wanted = judged.wanted("buys", np.array([high, high], np.uint16))
    assert (wanted.codes == high).tolist() == [True, False]


def test_who_is_not_eligible_any_more_loses_the_tag_when_time_makes_it_so(profiles) -> None:
    fold(profiles, *clicked("ann", 4))
    assert changes(fold(profiles, floor=START + 23 * HOUR), "buys") == []
    done = fold(profiles, floor=START + 25 * HOUR)
    assert changes(done, "buys") == [("ann", "buys", "high", None, "model")]
    [lost] = [c for c in done.outputs.changes if c.tag == "buys"]
    assert [(b.feature, b.op, b.threshold) for b in lost.because] == [("clicks_24h", "<", 1.0)]
    assert lost.confidence == 1.0


def test_time_alone_ends_eligibility_at_its_own_thresholds() -> None:
    # No rule looks at the hours since, and no window moves before they are over.
    text = TEXT.replace("features:\n", "features:\n  since: {hours_since: clicks}\n", 1)
    text = text.replace("among: clicks_24h >= 1", "among: since < 5")
    text = text.replace("rate: 1}\n", "rate: 1, among: clicks_24h >= 2}\n")
    profiles = Profiles(learned(text))
    profiles.use_models(models(profiles.program))
    assert changes(fold(profiles, *clicked("ann", 2))) == [
        ("ann", "buys", None, "mid", "model"),
        ("ann", "segments", None, "s2", "segment"),
    ]
    assert profiles.due.tolist() == [START + 5 * HOUR]
    assert changes(fold(profiles, floor=START + 5 * HOUR)) == [
        ("ann", "buys", "mid", None, "model")
    ]
    day = fold(profiles, floor=START + DAY)
    assert changes(day) == [("ann", "segments", "s2", None, "segment")]
    [gone] = [c for c in day.outputs.changes if c.tag == "segments"]
    assert [(b.feature, b.op, b.threshold) for b in gone.because] == [("clicks_24h", "<", 2.0)]


def test_a_tag_at_its_end_is_renewed_while_the_model_says_the_same() -> None:
    profiles = Profiles(learned(TEXT.replace("      among: clicks_24h >= 1\n", "")))
    # Without clicks the odds are 9 to 1: above all edges, whatever happens.
    buys = model("buys", logistic("clicks_24h", "spend_30d", odds=9.0))
    profiles.use_models(models(profiles.program, buys=buys))
    fold(profiles, click("ann", 0, at=START + 1))
    for _ in range(2):
        [state] = tag_states(profiles)
        until = state.tags["buys"]["valid_until"]
        assert until is not None
        assert changes(fold(profiles, floor=until - 1), "buys") == []
        assert profiles.due[0] == until
        done = fold(profiles, floor=until)
        [renewed] = [c for c in done.outputs.changes if c.tag == "buys"]
        assert (renewed.action, renewed.previous, renewed.value) == ("updated", "top", "top")
        assert (renewed.source.kind, renewed.valid_until) == ("model", until + 2 * DAY)
        assert changes(fold(profiles), "buys") == []


def test_without_its_model_a_tag_stays_until_it_expires(profiles) -> None:
    fold(profiles, *clicked("ann", 4))
    profiles.use_models(models(stays=model("stays", logistic("clicks_24h"), 8, state="paused")))
    assert profiles.models.paused == {"stays": "its model is paused"}
    assert changes(fold(profiles, floor=START + 2 * DAY - 1), "stays") == []
    done = fold(profiles, floor=START + 2 * DAY)
    assert changes(done, "stays") == [("ann", "stays", True, None, "expiry")]
    [gone] = [c for c in done.outputs.changes if c.tag == "stays"]
    assert [b.feature for b in gone.because] == ["hours_since_set"]
    assert (gone.confidence, gone.valid_until) == (1.0, None)


def test_a_flag_without_a_threshold_is_nobodys(profiles) -> None:
    fold(profiles, *clicked("ann", 4))
    scorer = logistic("clicks_24h", "price_7d")
    profiles.use_models(models(stays=model("stays", scorer, 8, state="unreachable")))
    assert changes(fold(profiles), "stays") == [("ann", "stays", True, None, "model")]


def test_a_segment_is_kept_within_its_margin_and_for_its_least_time(profiles) -> None:
    fold(profiles, *clicked("ann", 1))
    assert tags(profiles)["ann"]["segments"] == "s1"
    assert changes(fold(profiles, *clicked("ann", 6, at=START + HOUR, first=2)), "segments") == []
    assert int(profiles.due[0]) <= START + DAY
    later = fold(profiles, *clicked("ann", 6, at=START + DAY, first=8))
    assert changes(later, "segments") == [("ann", "segments", "s1", "s2", "segment")]


def test_margin_of_segments() -> None:
    # Two clicks: log 3 from s1 and log 2 from s2; a middling number of them stays where it was.
    scorer = segments(0.0, 2.0)
    judged = models(segments=model("segments", scorer)).over(
        {"clicks_24h": np.expm1([1.05, 1.05, 1.5])} | dict.fromkeys(REST, np.zeros(3)),
        hashes(["a"] * 3),
    )
    wanted = judged.wanted("segments", np.array([3, 0, 3], np.uint16))
    assert wanted.codes.tolist() == [3, 4, 4]


def test_who_is_far_from_all_is_unusual_and_ids_are_read_without_a_model(profiles) -> None:
    far = segments(50.0, 60.0, ids=("s41", "s7"), bound=30.0)
    profiles.use_models(models(segments=model("segments", far)))
    fold(profiles, *clicked("ann", 1))
    assert tags(profiles)["ann"]["segments"] == "unusual"
    near = segments(0.0, 9.0, ids=("s41", "s7"))
    profiles.use_models(models(segments=model("segments", near)))
    fold(profiles, *clicked("bob", 1))
    profiles.models = None
    assert tags(profiles)["bob"]["segments"] == "s41"


def test_an_id_that_no_row_can_hold_pauses_segments_only() -> None:
    odd = models(segments=model("segments", segments(0.0, ids=("x1",))))
    assert odd.paused == {"segments": "'x1' is no id of a segment: expected s1 to s65532"}
    assert odd.versions == {"buys": 1, "stays": 7}


def test_held_out_users_never_get_a_tag_but_are_scored() -> None:
    profiles = Profiles(learned(TEXT.replace("holdout: 0.0", "holdout: 0.5")))
    profiles.use_models(models(profiles.program))
    users = [f"u{n}" for n in range(40)]
    fold(profiles, *(click(user, n) for n, user in enumerate(users)))
    found = tags(profiles)
    out = held_out(hashes(users), "buys", 0.5)
    assert 5 < out.sum() < 35
    for user, held in zip(users, out, strict=True):
        assert ("buys" in found[user]) == (not held)
    for n, user in enumerate(reversed(users), 40):
        assert changes(fold(profiles, click(user, n)), "stays", "buys") == []
    day = fold(profiles, floor=START + DAY)
    examples = [r for _, v in day.training if isinstance(r := decode(v), Example)]
    assert all(e.tasks["buys"].score == pytest.approx(3 / 7) for e in examples)
    assert {(e.tasks["buys"].held_out, e.tasks["buys"].tag) for e in examples} == {
        (True, None), (False, "mid"),
    }  # fmt: skip


def test_a_sample_says_score_version_and_tag_of_its_time(profiles) -> None:
    fold(profiles, *clicked("ann", 4))
    day = fold(profiles, floor=START + 12 * HOUR)
    [ann] = [r for _, v in day.training if isinstance(r := decode(v), Example)]
    told = {name: (s.score, s.version, s.tag) for name, s in ann.tasks.items()}
    p = pytest.approx(5 / 9)
    assert told == {"buys": (p, 1, "high"), "stays": (p, 7, "true")}
    vector = np.array([ann.values], dtype=np.float64)
    columns = list(profiles.program.catalogue.learning.columns)
    chosen = vector[:, [columns.index(name) for name in ("clicks_24h", "spend_30d")]]
    assert score(logistic("clicks_24h", "spend_30d"), chosen)[0] == told["buys"][0]


def test_a_removed_feature_pauses_its_task_and_the_rest_goes_on(profiles) -> None:
    fold(profiles, *clicked("ann", 4))
    less = TEXT.replace("[clicks_24h, price_7d]", "[clicks_24h]")
    less = less.replace("  price_7d: {mean: view_item.price, window: 7d}\n", "")
    moved = profiles.under(learned(less))
    assert moved.models.paused == {"stays": "nothing is learned from price_7d any more"}
    assert changes(fold(moved, *clicked("ann", 40, first=4))) == [
        ("ann", "buys", "high", "top", "model")
    ]
    assert tags(moved)["ann"]["stays"] is True
    back = moved.under(learned())
    assert dict(back.models.paused) == {}
    assert profiles.under(program(FEATURES)).models is None


def test_reasons_name_what_moved_the_score_most(profiles) -> None:
    weights = (2.0, -1.0)
    scorer = logistic("clicks_24h", "spend_30d", odds=0.001, weights=weights)
    profiles.use_models(models(buys=model("buys", scorer)))
    low = fold(profiles, *clicked("ann", 1))
    assert changes(low, "buys")[0][3] == "low"
    [rose] = [
        c for c in fold(profiles, *clicked("ann", 40, first=1)).outputs.changes if c.tag == "buys"
    ]
    [reason] = rose.because
    assert (reason.feature, reason.value, reason.op, reason.threshold) == (
        "clicks_24h", 41.0, ">", 0.0,
    )  # fmt: skip
    assert reason.contribution == pytest.approx(2 * np.log(42))
    assert reason.reference == 0.0
    other = logistic("clicks_24h", "spend_30d", odds=0.001, weights=(-1.0, 2.0))
    profiles.use_models(models(buys=model("buys", other, 2)))
    [fell] = [c for c in fold(profiles).outputs.changes if c.tag == "buys"]
    assert (fell.previous, fell.value) == (rose.value, "low")
    assert [b.feature for b in fell.because] == ["clicks_24h"]
    assert fell.because[0].contribution < 0


def test_segments_say_how_the_user_differs_from_the_median(profiles) -> None:
    done = fold(profiles, *clicked("ann", 5))
    [change] = [c for c in done.outputs.changes if c.tag == "segments"]
    assert [(b.feature, b.value, b.op, b.threshold, b.reference) for b in change.because] == [
        ("clicks_24h", 5.0, ">", 0.0, 0.0)
    ]


def test_reasons_are_told_by_family_and_segments_by_their_names() -> None:
    families = "  families: {money: [spend_30d], activity: [clicks_24h, price_7d]}\n"
    profiles = Profiles(learned(TEXT.replace("learning:\n", "learning:\n" + families)))
    labelled = replace(segments(0.0, float(np.log(6.0))), labels=["few clicks", "many clicks"])
    profiles.use_models(models(profiles.program, segments=model("segments", labelled)))
    done = fold(profiles, *clicked("ann", 5))
    told = {c.tag: c for c in done.outputs.changes}
    assert {c.because[0].family for c in told.values() if c.tag in LEARNED} == {"activity"}
    assert told["segments"].source.label == "many clicks"
    assert json.loads(encode(told["segments"]))["source"]["label"] == "many clicks"
    assert "label" not in json.loads(encode(told["buys"]))["source"]


UNUSUAL = TEXT + "  unusual: {features: [clicks_24h, spend_30d], top: 0.01}\n"


def watched(text: str = UNUSUAL, **fields: Any) -> Profiles:
    profiles = Profiles(learned(text))
    given = {"thresholds": [0.5]} | fields
    unusual = model("unusual_behaviour", trees(20.0), 9, **given)
    profiles.use_models(models(profiles.program, unusual_behaviour=unusual))
    return profiles


def test_who_scores_above_the_threshold_is_unusual_for_a_day_at_least() -> None:
    profiles = watched()
    assert changes(fold(profiles, *clicked("ann", 19)), "unusual_behaviour") == []
    done = fold(profiles, *clicked("ann", 1, first=19))
    [found] = [c for c in done.outputs.changes if c.tag == "unusual_behaviour"]
    assert (found.value, found.cls, found.source.kind, found.source.revision, found.confidence) == (
        True, "prediction", "model", "9", 1.0,
    )  # fmt: skip
    assert [(b.feature, b.value, b.op, b.threshold, b.family) for b in found.because] == [
        ("clicks_24h", 20.0, ">", 1.0, "clicks_24h")
    ]
    validator("tags").validate(json.loads(encode(found)))
    assert found.valid_until == START + 7 * DAY
    # Nothing of the day before counts any more; the flag is let go when its day is over.
    assert changes(fold(profiles, floor=START + DAY), "unusual_behaviour") == [
        ("ann", "unusual_behaviour", True, None, "model")
    ]


def test_unusual_behaviour_is_renewed_while_it_lasts() -> None:
    profiles = watched()
    fold(profiles, *clicked("ann", 20))
    for day in range(1, 8):
        done = fold(profiles, *clicked("ann", 25, at=START + day * DAY - HOUR, first=100 * day))
        assert changes(done, "unusual_behaviour") == []
    until = START + 7 * DAY
    [renewed] = [
        c for c in fold(profiles, floor=until).outputs.changes if c.tag == "unusual_behaviour"
    ]
    assert (renewed.action, renewed.valid_until) == ("updated", until + 7 * DAY)


def test_only_those_among_the_segments_users_are_unusual_and_nobody_without_a_threshold() -> None:
    among = UNUSUAL.replace("rate: 1}\n  unusual", "rate: 1, among: spend_30d > 0}\n  unusual")
    for profiles in (watched(among), watched(thresholds=[])):
        done = fold(profiles, *clicked("ann", 30))
        assert changes(done, "unusual_behaviour") == []
        assert "unusual_behaviour" in profiles.models.versions


def test_without_the_section_a_model_of_unusual_behaviour_decides_nothing() -> None:
    assert "unusual_behaviour" not in watched(TEXT).models.versions


def test_a_model_of_another_kind_or_state_is_not_used() -> None:
    other = models(
        buys=model("buys", segments(0.0), kind="segments"),
        stays=model("stays", logistic("clicks_24h", "price_7d"), state="held"),
    )
    assert other.paused == {
        "buys": "a model of kind segments cannot decide it",
        "stays": "its model is held",
    }
    assert models(unknown=model("unknown", logistic("x"))).paused == {}


def test_a_tag_of_the_segments_name_is_refused() -> None:
    with pytest.raises(DeclarationError, match="'segments' is declared already"):
        program(TEXT.replace("  visitor:", "  segments:"))


def test_without_learning_rows_are_what_they_were() -> None:
    plain, more = program(FEATURES).layout, learned().layout
    new = [f"{part}:{tag}" for part in ("tag", "since", "confidence") for tag in LEARNED]
    assert [field for field in more.fields if field.name not in new] == list(plain.fields)
    assert more.size - plain.size <= 8 * 3 + 7
    assert not any(
        field.name.startswith("confidence") for field in program(CATALOGUE).layout.fields
    )


users_of = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 30)), min_size=1, max_size=40)


@given(events=users_of, cuts=st.lists(st.integers(0, 40), max_size=5).map(sorted))
@settings(max_examples=30, deadline=None)
def test_any_split_into_batches_and_partitions_gives_the_same_tags(events, cuts) -> None:
    """Where a tag has no memory; bands and segments are told to have none here."""
    text = TEXT.replace("margin: 0.05", "margin: 0.0")
    late = START + 40 * HOUR
    values = [
        click(f"u{user}", n, at=START + hour * HOUR)
        for n, (user, hour) in enumerate(sorted(events, key=lambda event: event[1]))
    ]
    ends = []
    for parts, bounds in ((1, []), (1, cuts), (2, cuts)):
        found = {}
        for number in range(parts):
            profiles = Profiles(learned(text), number, parts)
            profiles.use_models(models(profiles.program, segments=None))
            for start, stop in zip([0, *bounds], [*bounds, len(values)], strict=True):
                fold(profiles, *values[start:stop])
            profiles.decide_anew()
            fold(profiles, floor=late)
            found |= tags(profiles)
        ends.append(found)
    assert ends[0] == ends[1] == ends[2]


@given(
    clicks=st.lists(st.floats(0, 1e6) | st.just(np.nan), min_size=1, max_size=70),
    before=st.sampled_from(["", "s1", "s2"]),
)
@settings(deadline=None)
def test_a_user_is_judged_alike_in_a_batch_and_alone(clicks, before) -> None:
    code = {"": 0, "s1": 3, "s2": 4}[before]
    found = models()
    columns = {
        "clicks_24h": np.array(clicks), "spend_30d": np.array(clicks[::-1]),
        "price_7d": np.cos(clicks),
    }  # fmt: skip
    names = hashes([f"u{n}" for n in range(len(clicks))])
    together = found.over(columns, names)
    codes = np.full(len(clicks), code, np.uint16)
    for i in range(len(clicks)):
        one = {name: column[i : i + 1] for name, column in columns.items()}
        alone = found.over(one, names[i : i + 1])
        for tag in LEARNED:
            many, single = together.wanted(tag, codes), alone.wanted(tag, codes[:1])
            assert many.codes[i] == single.codes[0]
            assert many.confidence[i] == single.confidence[0]
        assert together.scores("buys").values[i] == alone.scores("buys").values[0]


def test_models_need_no_order_of_their_snapshots() -> None:
    given_so = dict(reversed(snapshots().items()))
    learning = learned().catalogue.learning
    assert Models.of(learning, given_so).versions == {"buys": 1, "stays": 7, "segments": 3}
