"""What is learned of the population: weekly, at once when something drifts, and again as before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
import pytest
from support.personas import BOT, COLUMNS, POPULATIONS, Shop, drifted

from stream_app.learning import segments
from stream_app.learning.anomaly import LEAST_SCORED
from stream_app.learning.assignment import assign
from stream_app.learning.clusters import (
    POPULATION,
    SEGMENTS,
    UNUSUAL_BEHAVIOUR,
    Clusters,
)
from stream_app.learning.declaration import Segmentation, Unusual
from stream_app.learning.scoring import score
from stream_app.learning.segments import select
from stream_app.learning.snapshot import Centroids, HalfSpaceTrees, Model, decode, encode
from stream_app.learning.training import Example, columns_id

DAY = 86_400_000
FIRST = 17_000
#: Fewer segments and users than usual, so that it goes fast.
SEGMENTED = Segmentation(COLUMNS[:6], 1.0, k=(3, 4), share_of="spend_30d")
UNUSUAL = Unusual(COLUMNS, 0.02)
Day = tuple[int, list[tuple[Example, np.ndarray]]]


def examples(day: int, vectors: np.ndarray) -> list[tuple[Example, np.ndarray]]:
    """A sample of every user."""
    return [
        (Example(f"u{i}", 0, day * DAY, columns_id(COLUMNS), [0.0], {}, True), vector)
        for i, vector in enumerate(vectors)
    ]


def shopping(days: int, users: int = 320, seed: int = 1, drift: int | None = None) -> Iterator[Day]:
    """The samples of so many days; on the day `drift` two personas change."""
    shop = Shop(POPULATIONS["grocery"], users, seed)
    for day in range(FIRST, FIRST + days):
        if drift is not None and day == FIRST + drift:
            shop.change(drifted("grocery"))
        yield day, examples(day, shop.vectors())
        shop.day()


def visiting(days: int, drift: int) -> Iterator[Day]:
    """Other users every day, of three kinds; on the day `drift` they visit four times as often."""
    rng = np.random.default_rng(5)
    for day in range(FIRST, FIRST + days):
        vectors = np.exp(rng.normal(2, 0.3, (310, len(COLUMNS))))
        vectors[:, :3] *= np.exp(2 * np.eye(3)[rng.integers(3, size=310)])
        vectors[:, 0] *= 4 if day >= FIRST + drift else 1
        yield day, examples(day, vectors)


def blob(x: float, y: float, size: float, n: int = 150) -> np.ndarray:
    """Users about a place, in logarithms."""
    noise = np.random.default_rng((n, int(10 * x), int(10 * y))).normal(0, size, (n, 2))
    vectors: np.ndarray = np.expm1(np.array([10.0 + x, 10.0 + y]) + noise)
    return vectors


def clusters(**settings: object) -> Clusters:
    return Clusters(SEGMENTED, COLUMNS, unusual=UNUSUAL, **settings)  # type: ignore[arg-type]


def fold(days: Sequence[Day], published: Sequence[Model] = ()) -> list[Model]:
    trainer = clusters()
    trainer.resume(published)
    found: list[Model] = []
    for day, samples in days:
        for example, values in samples:
            trainer.example(example, values)
        found += trainer.day(day * DAY)
    return found


def of(models: Sequence[Model], task: str) -> list[Model]:
    return [model for model in models if model.task == task]


def segments_of(model: Model) -> Centroids:
    assert isinstance(model.scorer, Centroids)
    return model.scorer


@pytest.fixture(scope="module")
def days() -> list[Day]:
    return list(shopping(30, drift=10))


@pytest.fixture(scope="module")
def models(days: list[Day]) -> list[Model]:
    """What a trainer that was never interrupted publishes."""
    return fold(days)


def test_segments_every_week_quantiles_every_day(models: list[Model]) -> None:
    fits = [model.version - FIRST for model in of(models, SEGMENTS)]
    assert fits == [0, 7, 14, 21, 28]
    assert [m.version - FIRST for m in of(models, POPULATION)] == list(range(30))
    assert [m.parent for m in of(models, SEGMENTS)] == [None, *(FIRST + f for f in fits[:-1])]


def test_segments_tell_names_ages_shares_and_what_became_of_them(models: list[Model]) -> None:
    first, *_, last = [segments_of(model) for model in of(models, SEGMENTS)]
    assert len(set(last.labels)) == len(last.ids)
    assert first.since == [FIRST * DAY] * len(first.ids)
    for name, since in zip(last.ids, last.since, strict=True):
        assert (since == FIRST * DAY) == (name in first.ids)
    assert last.shares is not None
    assert 0.5 < sum(last.shares) <= 1.0
    assert {change.fate for change in first.transitions} == {"born"}
    fates = {n for change in last.transitions for n in (*change.before, *change.after)}
    assert fates >= set(last.ids)
    assert last.fits == 5


def test_words_of_the_catalogue_make_the_names() -> None:
    words = {name: (f"little {name}", f"much {name}") for name in COLUMNS}
    trainer = clusters(words=words)
    for day, samples in shopping(1):
        for example, values in samples:
            trainer.example(example, values)
        [model] = of(trainer.day(day * DAY), SEGMENTS)
    labels = " ".join(segments_of(model).labels)
    assert "little" in labels
    assert "much" in labels
    assert "low" not in labels


def test_metrics_tell_sizes_and_how_far_segments_moved(models: list[Model]) -> None:
    first, second = of(models, SEGMENTS)[:2]
    ids = segments_of(second).ids
    sizes = [second.metrics[f"size_{name}"] for name in (*ids, "unusual")]
    assert sum(size or 0.0 for size in sizes) == pytest.approx(1.0)
    assert not any(name.startswith("moved_") for name in first.metrics)
    stayed = set(ids) & set(segments_of(first).ids)
    assert stayed
    assert all(0 <= (second.metrics[f"moved_{name}"] or 0.0) < 1 for name in stayed)


def test_between_fits_it_is_told_who_comes_to_each_segment(models: list[Model]) -> None:
    """After the drift of day 10 a segment's users are elsewhere, before the next fit."""
    daily = of(models, POPULATION)
    ids = segments_of(of(models, SEGMENTS)[1]).ids

    def farthest(day: int) -> float:
        return max(daily[day].metrics[f"moved_{name}"] or 0.0 for name in ids)

    assert sum(daily[9].metrics[f"size_{name}"] or 0.0 for name in ids) > 0.9
    assert farthest(9) < 0.2 < farthest(13)


class TestResume:
    """A trainer goes on from published segments as if it had never been away."""

    @pytest.mark.parametrize("killed", [0, 6, 7, 20, 29])
    def test_the_whole_log_gives_the_same_bytes(
        self, days: list[Day], models: list[Model], killed: int
    ) -> None:
        """However far it had come, even if that day's models were published in part."""
        published = [m for m in of(models, SEGMENTS) if m.version <= FIRST + killed]
        read = [decode(encode(model)) for model in published]
        assert [encode(m) for m in fold(days, read)] == [encode(m) for m in models]

    def test_before_the_oldest_published_nothing_is_fitted(
        self, days: list[Day], models: list[Model]
    ) -> None:
        """Of the published versions the oldest go; then the log begins before them."""
        kept = of(models, SEGMENTS)[2:]
        again = of(fold(days, kept), SEGMENTS)
        assert [encode(model) for model in again] == [encode(model) for model in kept]

    @pytest.mark.parametrize("first", [3, 15, 22, 29])
    def test_ids_go_on_though_the_beginning_of_the_log_is_deleted(
        self, days: list[Day], models: list[Model], first: int
    ) -> None:
        published = [m for m in of(models, SEGMENTS) if m.version <= FIRST + 21]
        more = [(day + 7, examples(day + 7, np.array([v for _, v in samples])))
                for day, samples in days[-7:]]  # fmt: skip
        newest = segments_of(published[-1])
        for model in of(fold([*days[first:], *more], published), SEGMENTS):
            if model.version <= FIRST + 21:
                assert model in published
                continue
            scorer = segments_of(model)
            assert scorer.issued >= newest.issued
            assert scorer.fits > newest.fits
            assert model.parent is not None
            assert set(scorer.ids) & set(newest.ids)
            new = {int(name[1:]) for name in set(scorer.ids) - set(newest.ids)}
            assert all(number > newest.issued for number in new)

    def test_without_it_ids_would_begin_anew(self, days: list[Day], models: list[Model]) -> None:
        assert segments_of(of(fold(days[25:]), SEGMENTS)[0]).fits == 1
        assert segments_of(of(fold(days[25:], of(models, SEGMENTS)), SEGMENTS)[0]).fits == 5

    def test_a_pending_number_of_segments_is_kept(
        self, days: list[Day], models: list[Model], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What has won once is published, and wins for good with the second check."""
        seen = []
        choose = segments.choose
        monkeypatch.setattr(
            segments, "choose", lambda *args: seen.append(args[-1]) or choose(*args)
        )
        newest = of(models, SEGMENTS)[0]
        pending = msgspec.structs.replace(segments_of(newest), challenger=4)
        fold(days[1:8], [msgspec.structs.replace(newest, scorer=pending)])
        assert [check.challenger for check in seen] == [4]

    def test_segments_are_followed_by_the_users_of_the_fit_before(self) -> None:
        """One moves beside another: by the users of then alone it would pass for that one."""
        names, still = ("a", "b"), [blob(6, 0, 0.2), blob(0, 6, 0.7), blob(6, 6, 0.7)]
        log = [
            (day, np.concatenate([blob(4.8 if day > FIRST else 0, 0, 0.2, 180), *still]))
            for day in range(FIRST, FIRST + 8)
        ]

        def made(published: Sequence[Model]) -> list[Model]:
            trainer = Clusters(Segmentation(names, 1.0, k=(4, 4)), names)
            trainer.resume(published)
            found: list[Model] = []
            for day, vectors in log:
                for example, values in examples(day, vectors):
                    trainer.example(example, values)
                found += trainer.day(day * DAY)
            return of(found, SEGMENTS)

        first, second = made([])
        assert set(segments_of(second).ids) != set(segments_of(first).ids)
        assert made([first]) == [first, second]

    def test_an_id_that_is_gone_is_not_used_again(self, days: list[Day]) -> None:
        """More ids were issued than there are segments."""
        other = Clusters(Segmentation(COLUMNS[6:], 1.0, k=(3, 4)), COLUMNS)
        for example, values in days[0][1]:
            other.example(example, values)
        [model] = of(other.day(days[0][0] * DAY), SEGMENTS)
        published = msgspec.structs.replace(
            model, scorer=msgspec.structs.replace(segments_of(model), issued=40)
        )
        again = of(fold(days[:8], [published]), SEGMENTS)[1]
        assert min(int(name[1:]) for name in segments_of(again).ids) == 41

    def test_segments_of_other_features_are_gone_on_from(self, days: list[Day]) -> None:
        """Their users are followed by what both know; with nothing in common, ids still rise."""
        other = Clusters(Segmentation(COLUMNS[6:], 1.0, k=(3, 4)), COLUMNS)
        for day, samples in days[:1]:
            for example, values in samples:
                other.example(example, values)
            published = of(other.day(day * DAY), SEGMENTS)
        [before] = [segments_of(model) for model in published]
        again = of(fold(days[:8], published), SEGMENTS)
        assert again[0] == published[0]
        assert min(int(name[1:]) for name in segments_of(again[1]).ids) > before.issued


@pytest.fixture(scope="module")
def told() -> tuple[Shop, Model, Model]:
    """A shop with bots, whom its model calls unusual, and its segments."""
    shop = Shop(POPULATIONS["market"], 2_000, seed=3)
    [*_, parts, unusual] = fold([(FIRST, examples(FIRST, shop.vectors()))])
    return shop, unusual, parts


class TestUnusual:
    """Bots with a hundred times the events."""

    def test_they_are_found_within_the_budget(self, told: tuple[Shop, Model, Model]) -> None:
        shop, model, _ = told
        [threshold] = model.thresholds
        found = score(model.scorer, shop.vectors()) >= threshold
        assert model.state == "live"
        assert found.mean() <= UNUSUAL.top
        assert model.metrics["share"] == pytest.approx(found.mean())
        assert found[shop.kinds == BOT].mean() >= 0.9

    def test_they_are_found_by_their_segment(self, told: tuple[Shop, Model, Model]) -> None:
        shop, _, model = told
        scorer = segments_of(model)
        ids = np.array(assign(scorer, select(shop.vectors(), COLUMNS, scorer)))
        assert np.mean(ids[shop.kinds == BOT] == "unusual") >= 0.9
        assert np.mean(ids == "unusual") <= 0.02

    def test_it_warms_up_first(self, models: list[Model]) -> None:
        """Every day while there are few users: no threshold is found among them."""
        made = of(models, UNUSUAL_BEHAVIOUR)
        assert {(model.state, len(model.thresholds)) for model in made} == {("warming", 0)}
        assert made[0].trained.examples < LEAST_SCORED
        assert len(made) == 30
        assert all(isinstance(model.scorer, HalfSpaceTrees) for model in made)


def test_one_user_a_million_times_nothing_that_varies_and_nothing_there() -> None:
    trainer = clusters()
    constant, missing = np.ones(len(COLUMNS)), np.full(len(COLUMNS), np.nan)
    for day in range(FIRST, FIRST + 3):
        [(again, _)] = examples(day, constant[None])
        for n in range(20_000):
            trainer.example(again, constant * 1e300 * (n % 3))
        for example, _ in examples(day, np.tile(constant, (2_000, 1)))[1:]:
            trainer.example(example, missing if day % 2 else constant)
        for model in trainer.day(day * DAY):
            assert encode(model)


class TestDrift:
    def test_an_alarm_has_the_segments_examined_at_once(self) -> None:
        """A feature moves on day 58; segments would be fitted on days 56 and 63."""
        trainer, made, alarms = clusters(), [], []
        for day, samples in visiting(66, drift=58):
            for example, values in samples:
                trainer.example(example, values)
            made += trainer.day(day * DAY)
            alarms += trainer.drift.take()
        told = {alarm.series: alarm for alarm in alarms}
        assert told["sessions_30d"].since == FIRST + 58
        day = told["sessions_30d"].day
        assert FIRST + 58 < day < FIRST + 63
        fits = [model.version for model in of(made, SEGMENTS)]
        assert fits == [*range(FIRST, FIRST + 57, 7), day]
        last = of(made, POPULATION)[-1].metrics
        assert last["drift_alarms"] == len(alarms)
        assert last["drift_sessions_30d"] == pytest.approx(np.log(4), rel=0.1)
        first, second = (segments_of(model) for model in of(made, SEGMENTS)[-2:])
        assert second.issued >= first.issued
