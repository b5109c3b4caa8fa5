"""What is said of one user agrees with what is decided of him."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.clicks import DAY, HOUR, START, click, purchase
from support.learned import TEXT, learned, logistic, model, models, snapshots
from support.partition import program, records

from stream_app.engine import Profiles, Program, step
from stream_app.engine.explain import ExplanationError, explain
from stream_app.engine.explanation import Explanation, Prediction
from stream_app.engine.outputs import tag_states
from stream_app.learning.scorers import HalfSpaceTrees
from stream_app.learning.scoring import score
from stream_app.learning.snapshot import Model

UNUSUAL = TEXT + "  unusual: {features: [clicks_24h], top: 0.01}\n"
FAMILIES = TEXT + "  families: {activity: [clicks_24h, spend_30d]}\n"


def folded(of: Program, clicks: int, spent: float = 0.0, *, decided: bool = True) -> Profiles:
    profiles = Profiles(of)
    if decided:
        profiles.use_models(models(of))
    bought = [purchase("ann", 1, spent)] if spent else []
    seen = [click("ann", n) for n in range(clicks)]
    step(profiles, [records(seen, at=START), records(bought, at=START)], floor=0)
    return profiles


def told(profiles: Profiles, at: int = START, found: dict[str, Model] | None = None) -> Explanation:
    learning = profiles.program.catalogue.learning
    assert learning is not None
    return explain(profiles, "ann", at, learning, snapshots() if found is None else found)


def buys(explanation: Explanation) -> Prediction:
    return next(p for p in explanation.predictions if p.verdict.tag == "buys")


@given(st.integers(0, 12), st.sampled_from([0.0, 20.0, 5_000.0]))
def test_who_was_decided_has_the_tags_that_the_explanation_says(clicks: int, spent: float) -> None:
    if not clicks and not spent:
        return
    profiles = folded(learned(), clicks, spent)
    found = told(profiles)
    assert found.segments is not None
    verdicts = [found.segments.verdict, *(p.verdict for p in found.predictions)]
    now = {v.tag: v.now.value for v in verdicts if v.now}
    assert now == {v.tag: v.would_be for v in verdicts if v.would_be is not None}
    [state] = tag_states(profiles)
    assert now.items() <= {name: tag["value"] for name, tag in state.tags.items()}.items()


def test_the_probability_and_what_makes_it_up() -> None:
    found = buys(told(folded(learned(), 4)))
    scorer = logistic("clicks_24h", "spend_30d")
    vector = np.array([[4.0, 0.0]])
    assert found.probability == pytest.approx(score(scorer, vector)[0])
    assert found.logit is not None
    assert [r.family for r in found.logit.families] == ["clicks_24h", "spend_30d"]
    assert found.logit.families[0].value == 4
    assert 1 / (1 + np.exp(-found.logit.value)) == pytest.approx(found.probability)
    assert found.edges == {"mid": 0.2, "high": 0.5, "top": 0.8}
    assert found.margin == 0.05


def test_families_of_the_catalogue_are_told_as_one() -> None:
    found = buys(told(folded(program(FAMILIES), 4)))
    assert found.logit is not None
    assert [r.family for r in found.logit.families] == ["activity"]


def test_who_is_not_eligible_is_told_why_and_would_have_no_tag() -> None:
    found = buys(told(folded(learned(), 0, spent=20)))
    assert not found.verdict.eligible
    [reason] = found.verdict.because_not
    assert (reason.feature, reason.value, reason.op, reason.threshold) == ("clicks_24h", 0, "<", 1)
    assert found.verdict.would_be is None
    assert found.probability is not None


def test_who_is_held_out_has_a_probability_and_no_tag() -> None:
    of = program(TEXT.replace("holdout: 0.0", "holdout: 0.999999"))
    found = buys(told(folded(of, 9)))
    assert found.held_out
    assert found.verdict.would_be is None
    assert found.probability is not None


def test_later_and_not_earlier_than_the_last_event() -> None:
    profiles = folded(learned(), 4)
    later = buys(told(profiles, START + 2 * DAY))
    assert later.verdict.now is not None
    assert later.verdict.now.value == "high"
    assert not later.verdict.eligible
    with pytest.raises(ExplanationError, match="`stream-app replay --as-of`"):
        told(profiles, START - HOUR)


def test_segments_by_distance_with_what_is_unlike_the_median() -> None:
    found = told(folded(learned(), 4)).segments
    assert found is not None
    assert [each.segment for each in found.distances] == ["s2", "s1"]
    assert found.distances[0].distance == pytest.approx(np.log(6) - np.log(5))
    assert next((t.feature, t.value, t.typical) for t in found.traits) == ("clicks_24h", 4, 0)
    assert found.traits[0].spreads == pytest.approx(np.log(5))


def test_without_models_there_are_features_and_no_verdict() -> None:
    found = told(folded(learned(), 4, decided=False), found={})
    assert found.features["clicks_24h"] == 4
    first = buys(found)
    assert (first.verdict.model, first.verdict.would_be, first.probability) == (None, None, None)
    assert found.segments is not None
    assert found.segments.distances == []
    assert found.unusual is None


def test_a_model_that_cannot_decide_is_paused_with_its_reason() -> None:
    held = snapshots(buys=model("buys", logistic("clicks_24h", "spend_30d"), state="held"))
    found = buys(told(folded(learned(), 4), found=held))
    assert found.verdict.model is not None
    assert found.verdict.model.paused == "its model is held"
    assert (found.verdict.would_be, found.probability, found.logit) == (None, None, None)


def test_unusual_has_its_score_and_threshold() -> None:
    trees = HalfSpaceTrees(
        names=["clicks_24h", "clicks_24h?"], low=[0.0, 0.0], high=[9.0, 1.0], window=10,
        feature=[[0]], threshold=[[1.0]], mass=[[10, 9, 1]], median=[0.0, 0.0], spread=[1.0, 1.0],
    )  # fmt: skip
    one = model("unusual_behaviour", trees, kind="anomaly", thresholds=[0.5])
    profiles = folded(program(UNUSUAL), 4, decided=False)
    found = told(profiles, found=snapshots(unusual_behaviour=one)).unusual
    assert found is not None
    assert found.score == pytest.approx(score(trees, np.array([[4.0]]))[0])
    assert found.threshold == 0.5
    [far] = found.because
    assert (far.feature, far.value, far.op, far.threshold) == ("clicks_24h", 4, ">", 0)


def test_it_is_json_with_moments_as_text() -> None:
    found = msgspec.json.decode(msgspec.json.encode(told(folded(learned(), 4))))
    assert found["at"] == "2017-02-08T12:00:00.000Z"
    assert found["predictions"][0]["verdict"]["now"]["since"] == "2017-02-08T12:00:00.000Z"
    assert found["predictions"][0]["logit"]["families"][0]["family"] == "clicks_24h"
