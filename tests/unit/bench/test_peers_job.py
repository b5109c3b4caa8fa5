"""The job that the peers run is what the engine makes of its catalogue."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
from support.streams import Record as Arrived

from bench.peers import engine, traffic
from bench.peers.check import Reference, Seen, judge
from bench.peers.score import COLUMNS, MODEL, Scorer, parameters
from stream_app.engine import Profiles, step
from stream_app.engine.models import Models
from stream_app.learning.scoring import score

USERS = 60


def folded(phases: Iterable[traffic.Phase], split: int) -> tuple[Profiles, Seen]:
    """The engine's profiles and what it publishes, in rounds of `split` records."""
    program = engine.program()
    profiles, seen = Profiles(program), Seen()
    learning = program.catalogue.learning
    assert learning is not None
    profiles.use_models(Models.of(learning, {MODEL["task"]: engine.model()}))
    for phase in phases:
        for begin in range(0, len(phase.records), split):
            records: list[list[Arrived]] = [[], []]
            for offset, record in enumerate(phase.records[begin : begin + split]):
                records[record.topic].append(Arrived(record.value, record.at, offset))
            result = step(profiles, records)
            assert not result.rejected
            seen.take(value for _, value in result.outputs.encoded_changes())
    return profiles, seen


@pytest.mark.parametrize("split", [37, 400])
def test_the_engine_agrees_after_every_wave(split: int) -> None:
    reference = Reference()
    phases = list(traffic.waves(USERS, 300, seed=split))
    for phase in phases:
        reference.take(phase.records)
    profiles, seen = folded(phases, split)
    verdict = judge(reference, seen, features=engine.features(profiles))
    assert verdict.once, verdict


def test_the_waves_have_every_tag_come_and_hysteresis_hold() -> None:
    """A contender without hysteresis, or without some tag, would be told."""
    reference, held, kept = Reference(), set(), 0
    for phase in traffic.waves(USERS, 300):
        reference.take(phase.records)
        for user, tags in reference.tags.items():
            held |= tags.keys()
            features = reference.features.get(user, {"spend_30d": 0})
            kept += "big_spender" in tags and features["spend_30d"] <= 350
    declared = set(engine.program().catalogue.tags.declarations)
    assert held == declared
    assert kept


def test_a_backlog_is_decided_alike_where_it_is_compared() -> None:
    reference = Reference()
    phases = list(traffic.backlog(USERS, 300, 2_000))
    for phase in phases:
        reference.take(phase.records)
    profiles, seen = folded(phases, 500)
    verdict = judge(reference, seen, features=engine.features(profiles), without=traffic.BY_MOMENT)
    assert verdict.once, verdict


def test_rivers_probability_is_the_engines() -> None:
    vector = [12.0, 3.0, 40.0, 0.4, None, 2.0, 5.5, 1.0, 2.0, None, 55.25, 27.6]
    values = np.array([[np.nan if x is None else x for x in vector]])
    expected = score(engine.model().scorer, values)[0]
    found = Scorer().probability(dict(zip(COLUMNS, vector, strict=True)))
    assert found == pytest.approx(expected, abs=1e-12)
    assert len(parameters()) == 2 * len(COLUMNS)
