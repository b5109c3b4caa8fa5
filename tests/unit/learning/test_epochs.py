"""Generations: what is published hangs on the last epochs only, and the next one takes over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from support.apprentice import COLUMNS, DAY, FIRST, World, learning, task

from stream_app.learning import gate, predictor
from stream_app.learning.declaration import Bands, Learning, Precision, TopShare
from stream_app.learning.epochs import EPOCH_DAYS, LEAST_DAYS
from stream_app.learning.predictor import Predictor
from stream_app.learning.snapshot import Model, encode
from stream_app.learning.trainer import Trainer
from stream_app.learning.training import DayEnd, Example, Record, Release, Sampled
from stream_app.settings import Settings

EPOCH = 14
#: Its third epoch is the first one that begins within the log and whose next one does too.
DAYS = 62
DECLARED = learning(
    task(),
    task("challenged", features=("noise",), challenger=COLUMNS),
    task("precise", form=Precision(0.6)),
    task("best_tenth", form=TopShare(0.1)),
    segments=False,
)

#: Nearly every version changes some tag, and may change none.
JUMPY = task(form=Bands((0.2, 0.5, 0.8), 0.0), max_flips=1e-9)


class Life:
    """A log in which users were scored as it was written, and what was published meanwhile."""

    def __init__(self, declared: Learning, days: int = DAYS, **world: Any) -> None:
        self.declared = declared
        self.models: list[Model] = []
        trainer = Trainer(declared, EPOCH)
        take = trainer.take

        def taken(record: Record) -> list[Model]:
            found = take(record)
            self.models += found
            return found

        trainer.take = taken  # type: ignore[method-assign]
        self.log = list(World(declared, **world).records(days, trainer))

    def of(self, name: str = "likely_to_buy") -> list[Model]:
        return [model for model in self.models if model.task == name]


def fold(declared: Learning, log: Sequence[Record]) -> list[Model]:
    trainer = Trainer(declared, EPOCH)
    return [model for record in log for model in trainer.take(record)]


def apart(log: Sequence[Record], days: int) -> list[Record]:
    """The same records, with partition 1 so many days behind partition 0."""
    return sorted(log, key=lambda record: record.at + days * DAY * record.partition)


def epoch_of(at: int) -> int:
    return at - at % (EPOCH * DAY)


@pytest.fixture(scope="module")
def lived() -> Life:
    return Life(DECLARED, users=70)


@pytest.fixture(scope="module")
def behind(lived) -> tuple[list[Record], list[Model]]:
    """The same log with a partition that is days behind, and what comes of it."""
    log = apart(lived.log, 5)
    return log, fold(DECLARED, log)


def whole_from(log: Sequence[Record]) -> int:
    """When the first generation begins whose beginning is certainly in the log."""
    first: dict[int, int] = {}
    for record in log:
        if isinstance(record, DayEnd):
            first.setdefault(record.partition, record.at)
    return epoch_of(max(first.values())) + EPOCH * DAY


@settings(max_examples=3, deadline=None)
@given(share=st.floats(0.0, 0.5))
@example(share=0.5)
def test_a_log_cut_anywhere_comes_to_what_the_whole_log_came_to(behind, share: float) -> None:
    log, models = behind
    cut = log[int(share * len(log)) :]
    serves = whole_from(cut) + EPOCH * DAY
    assert serves < FIRST + DAYS * DAY
    # The first version after a switch names the one before and compares itself with it.
    wanted = {(m.task, m.version): encode(m) for m in models if m.created_at > serves}
    found = {(m.task, m.version): encode(m) for m in fold(DECLARED, cut) if m.created_at > serves}
    assert found == wanted
    assert {name for name, _ in wanted} == {one.name for one in DECLARED.tasks}


def test_with_one_epoch_more_the_switch_itself_is_the_same(lived) -> None:
    cut = [record for record in lived.log if record.at >= FIRST + 4 * DAY]
    last = epoch_of(FIRST + (DAYS - 1) * DAY)
    assert whole_from(cut) <= last - 2 * EPOCH * DAY
    wanted = [encode(m) for m in lived.models if m.created_at >= last]
    assert [encode(m) for m in fold(DECLARED, cut) if m.created_at >= last] == wanted


def test_a_generation_learns_for_an_epoch_before_it_serves(lived) -> None:
    for model in lived.of():
        began, now = model.trained.from_, epoch_of(model.created_at)
        assert began == max(FIRST, now - EPOCH * DAY)


def test_the_switch_goes_on_from_the_live_version_and_holds_nothing(lived) -> None:
    switches = 0
    for before, after in zip(lived.of(), lived.of()[1:], strict=False):
        assert after.version == before.version + 1
        assert after.state != "held"
        if before.state == "live":
            assert after.parent == before.version
        switches += after.trained.from_ > before.trained.from_
    assert switches == 3


def test_the_first_version_of_a_generation_tells_its_flips_and_is_never_held(monkeypatch) -> None:
    monkeypatch.setattr(gate, "GROWN", 1)
    life = Life(learning(JUMPY, segments=False), days=40, users=80)
    states = {model.created_at: model.state for model in life.of()}
    first = [model for model in life.of() if model.created_at == epoch_of(model.created_at)]
    switch = first[-1]
    assert switch.state == "live"
    assert switch.metrics["flips"] > 0
    assert "held" in states.values()
    assert all(m.parent == switch.version for m in life.of() if m.created_at > switch.created_at)


def test_a_challenger_that_took_over_does_so_again_before_its_generation_serves(lived) -> None:
    made = lived.of("challenged")
    promoted = next(n for n, model in enumerate(made) if model.columns == list(COLUMNS))
    assert made[0].columns == ["noise"]
    assert all(model.columns == list(COLUMNS) for model in made[promoted:])


def test_what_is_learned_and_scaled_hangs_on_no_score_that_a_worker_gave(lived) -> None:
    """Those come from versions of other generations, whose scaling a cut log does not know."""
    log = [record for record in lived.log if record.at < FIRST + 30 * DAY]

    def unscored(record: Record) -> Record:
        if not isinstance(record, Example):
            return record
        return replace(record, tasks=dict.fromkeys(record.tasks, Sampled(None, 0, False, None)))

    def scorers(records: Sequence[Record]) -> list[object]:
        return [m.scorer for m in fold(DECLARED, records) if m.task != "precise"]

    assert any(model.scorer.platt for model in lived.of())
    assert scorers([unscored(record) for record in log]) == scorers(log)


class Counting(Predictor):
    """Tells how many there are."""

    made = 0

    def __init__(self, *given: Any) -> None:
        type(self).made += 1
        super().__init__(*given)


def test_a_generation_that_has_not_settled_waits_and_few_wait_at_a_time(monkeypatch) -> None:
    """A small shop: an epoch is not enough to go live, so what went live stays."""
    monkeypatch.setattr("stream_app.learning.trainer.Predictor", Counting)
    life = Life(learning(task(), segments=False), days=150, users=15)
    states = [model.state for model in life.of()]
    live = states.index("live")
    assert set(states[live:]) == {"live"}
    assert states[0] == "warming"
    assert (FIRST + 150 * DAY - life.of()[-1].trained.from_) // DAY < 120
    assert Counting.made >= 150 // EPOCH


def test_a_beginning_that_one_partition_does_not_have_is_none() -> None:
    """The fast partition's first days were deleted: the generation never learned of them."""
    life = Life(learning(task(), segments=False), days=45, users=120)
    start = epoch_of(FIRST) + EPOCH * DAY
    cut = [r for r in life.log if r.at >= start - 2 * DAY and (r.at > start or r.partition)]
    made = fold(life.declared, cut)
    # It would have served from `start + EPOCH` on; the first one does until the next one may.
    assert {m.trained.from_ for m in made if m.created_at < start + 2 * EPOCH * DAY} == {
        start - 2 * DAY
    }
    assert made[-1].trained.from_ == start + EPOCH * DAY


def test_records_of_an_earlier_epoch_after_those_of_a_later_one_go_to_the_older_one() -> None:
    """Partitions are days apart at times."""
    life = Life(learning(task(), segments=False), days=45, users=120)
    mixed = apart(life.log, 5)
    made = fold(life.declared, mixed)
    assert [m.trained.from_ for m in made] == [m.trained.from_ for m in life.of()]
    assert made[-1].trained.examples == life.of()[-1].trained.examples


def test_the_default_retention_is_enough() -> None:
    assert LEAST_DAYS == 3 * EPOCH_DAYS + 1 <= Settings().training_days
    assert predictor.JUDGED_MS < EPOCH_DAYS * DAY


def test_a_version_that_is_released_comes_again_live_and_is_what_later_ones_are_compared_with(
    monkeypatch,
) -> None:
    monkeypatch.setattr(gate, "GROWN", 1)
    declared = learning(JUMPY, segments=False)
    log = Life(declared, days=24, users=80).log
    before = fold(declared, log)
    held = next(model for model in before if model.state == "held")
    where = next(n for n, r in enumerate(log) if isinstance(r, DayEnd) and r.at > held.created_at)
    released = [*log[:where], Release(held.task, held.version, held.created_at), *log[where:]]
    made = fold(declared, released)
    again = [model for model in made if model.version == held.version]
    assert [model.state for model in again] == ["held", "live"]
    assert encode(again[0]) == encode(held)
    assert again[1].metrics == held.metrics
    later = [m for m in made if m.created_at > held.created_at and m.trained.from_ == FIRST]
    assert later
    assert {model.parent for model in later} == {held.version}


@pytest.mark.parametrize(
    "record", [Release("likely_to_buy", 7, DAY), Release("unknown", 7, DAY)], ids=lambda r: r.task
)
def test_what_is_not_held_is_not_released(lived, record: Release) -> None:
    trainer = Trainer(DECLARED, EPOCH)
    assert trainer.take(record) == []
    for one in lived.log[:2_000]:
        trainer.take(one)
    assert trainer.take(record) == []
