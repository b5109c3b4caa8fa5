"""The trainer is a fold of its log: it learns, says honestly how well, and gives the same again."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from support.apprentice import COLUMNS, DAY, FIRST, World, fold, learning, task

from stream_app.learning import gate
from stream_app.learning.declaration import Bands, Learning, Precision, TopShare
from stream_app.learning.snapshot import Model, encode
from stream_app.learning.trainer import Trainer
from stream_app.learning.training import DayEnd, Example, Outcome, Record, Sampled, columns_id

UNSCORED = Sampled(None, 0, False, None)
DECLARED = learning(
    task(),
    task("challenged", features=("noise",), challenger=COLUMNS, max_flips=1.0),
    task("precise", form=Precision(0.7)),
    task("best_tenth", form=TopShare(0.1), max_flips=1.0),
)


def run(declared: Learning, days: int = 30, **world: int) -> tuple[list[Record], list[Model]]:
    """A log in which users were scored as it was written, and the models that it made."""
    trainer, log, models = Trainer(declared), [], []
    take = trainer.take

    def taken(record: Record) -> list[Model]:
        found = take(record)
        models.extend(found)
        return found

    trainer.take = taken  # type: ignore[method-assign]
    log = list(World(declared, **world).records(days, trainer))
    return log, models


@pytest.fixture(scope="module")
def lived() -> tuple[list[Record], list[Model]]:
    return run(DECLARED)


def of(models: Sequence[Model], name: str) -> list[Model]:
    return [model for model in models if model.task == name]


def test_folding_a_log_again_gives_the_same_bytes(lived) -> None:
    log, models = lived
    assert [encode(model) for model in fold(DECLARED, log)] == [encode(m) for m in models]


@pytest.mark.parametrize("more", [3, 4])
def test_partitions_that_become_more_cost_no_example_and_no_day(more) -> None:
    """Users move, with examples that wait for an outcome; whoever learns is told no number."""

    def last(partitions: int) -> tuple[int, Model]:
        world, trainer, made = World(learning(task())), Trainer(learning(task())), []
        for record in world.records(20):
            made += of(trainer.take(record), "likely_to_buy")
            if (
                isinstance(record, DayEnd)
                and record.partition == 1
                and record.at >= FIRST + 9 * DAY
            ):
                world.partitions = partitions
        return len(made), made[-1]

    (before, stayed), (after, grown) = last(2), last(more)
    assert before == after
    assert grown.trained == stayed.trained
    assert grown.metrics["unmatched"] == grown.metrics["refused"] == 0


def test_a_version_is_the_number_of_its_day_and_names_the_live_one_before(lived) -> None:
    assert all(model.version == model.created_at // DAY for model in lived[1])
    live = [model for model in of(lived[1], "likely_to_buy") if model.state == "live"]
    assert [model.parent for model in live[1:]] == [model.version for model in live[:-1]]


def test_a_fold_of_what_retention_left_counts_on_where_the_log_was(lived) -> None:
    log, models = lived
    half = [record for record in log if record.at >= FIRST + 15 * DAY]
    again = {(model.task, model.version) for model in fold(DECLARED, half)}
    assert again < {(model.task, model.version) for model in models}


def test_it_warms_up_then_goes_live_and_ranks_users_well(lived) -> None:
    made = of(lived[1], "likely_to_buy")
    states = [model.state for model in made]
    assert states[0] == "warming"
    assert made[0].thresholds == []
    assert states[-1] == "live"
    assert made[-1].thresholds == [0.2, 0.5, 0.8]
    assert made[-1].metrics["auc"] > 0.7
    assert made[-1].metrics["log_loss"] < math.log(2)


def test_quality_is_of_the_scores_given_at_sample_time(lived) -> None:
    """The first cohorts were sampled when there was no model: nothing is known of them."""
    made = of(lived[1], "likely_to_buy")
    assert made[0].metrics["auc"] is None
    assert made[0].metrics["cohort"] == FIRST
    scored = next(model for model in made if model.metrics["auc"] is not None)
    assert scored.metrics["cohort"] >= made[0].created_at


def test_a_challenger_that_is_better_takes_the_champions_place(lived) -> None:
    made = of(lived[1], "challenged")
    assert made[0].columns == ["noise"]
    assert made[-1].columns == list(COLUMNS)
    assert made[-1].metrics["auc"] > 0.65


def test_a_precision_is_reached_by_a_threshold_from_honest_scores(lived) -> None:
    made = of(lived[1], "precise")
    [threshold] = made[-1].thresholds
    assert made[-1].state == "live"
    assert made[-1].metrics["best_precision"] >= 0.7
    assert 0 < threshold < 1


def test_a_precision_out_of_reach_is_said_and_tags_nobody() -> None:
    declared = learning(task(form=Precision(0.999)), segments=False)
    _, models = run(declared, days=25)
    assert models[-1].state == "unreachable"
    assert models[-1].thresholds == []
    assert models[-1].metrics["best_precision"] < 0.999


def test_the_top_share_is_cut_on_the_newest_vectors(lived) -> None:
    made = of(lived[1], "best_tenth")
    assert made[-1].state == "live"
    assert len(made[-1].thresholds) == 1


def test_a_version_that_flips_too_many_tags_is_held_and_the_live_one_stays_the_parent(
    monkeypatch,
) -> None:
    monkeypatch.setattr(gate, "GROWN", 1)
    jumpy = task(form=Bands((0.2, 0.5, 0.8), 0.0), max_flips=1e-9)
    declared = learning(jumpy, segments=False)
    _, models = run(declared, days=20)
    live = [model for model in models if model.state == "live"]
    held = [model for model in models if model.state == "held"]
    assert len(live) == 1
    assert held
    assert {model.parent for model in held} == {live[0].version}
    assert all(model.metrics["flips"] > 0 for model in held)


def test_a_beginner_is_replaced_however_much_it_flips() -> None:
    jumpy = task(form=Bands((0.2, 0.5, 0.8), 0.0), max_flips=1e-9)
    _, models = run(learning(jumpy, segments=False), days=20)
    assert "held" not in {model.state for model in models}
    assert max(model.metrics.get("flips") or 0.0 for model in models) > 0


def test_segments_and_quantiles_are_made_every_week_and_every_day(lived) -> None:
    declared = learning(segments=True)
    _, models = run(declared, days=16, users=400)
    days = [(model.created_at - FIRST) // DAY for model in of(models, "population")]
    assert days == list(range(16))
    fits = [(model.created_at - FIRST) // DAY for model in of(models, "segments")]
    assert fits == [0, 7, 14]
    last = of(models, "segments")[-1]
    assert 3 <= len(last.scorer.ids) <= 12
    assert of(models, "population")[-1].scorer.by_column["visits_7d"][4][1] > 0


def test_poison_does_no_harm() -> None:
    """One user a thousand times, constant features, one class only, missing everything."""
    trainer, made = Trainer(learning(task())), []
    wild = {"likely_to_buy": UNSCORED}
    for day in range(30):
        at = FIRST + day * DAY
        for n in range(100):
            if day >= 3:
                at_first, name = at - 3 * DAY, "bot" if (day - 3) % 2 else f"u{n}"
                made += trainer.take(Outcome(name, 0, at, "likely_to_buy", at_first, 1.0))
        for n in range(100):
            name = "bot" if day % 2 else f"u{n}"
            values = [1e300 if n % 7 == 0 else 1.0, 0.0, None, -1e300]
            made += trainer.take(Example(name, 0, at, columns_id(COLUMNS), values, wild, True))
        made += trainer.take(DayEnd(0, 1, at, list(COLUMNS), 0, 100))
    learned = of(made, "likely_to_buy")[-1]
    assert learned.trained.examples == learned.trained.positives > 500
    assert all(encode(model) for model in made)


def test_examples_of_other_columns_are_counted_and_left_out() -> None:
    trainer = Trainer(learning(task(), segments=False))
    other = Example("ann", 0, FIRST, "0" * 16, [1.0], {"likely_to_buy": UNSCORED}, False)
    assert trainer.take(other) == []
    assert trainer.foreign == 1
    assert trainer.take(DayEnd(0, 1, FIRST, list(COLUMNS), 0, 1)) == []
    answer = Outcome("ann", 0, FIRST + 3 * DAY, "likely_to_buy", FIRST, 1.0)
    assert trainer.take(answer) == []
    assert trainer.take(DayEnd(0, 1, FIRST + 3 * DAY, list(COLUMNS), 0, 1)) == []
