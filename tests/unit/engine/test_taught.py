"""Models decide from the very step after the one they came out of."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.clicks import purchase
from support.small_learning import CATALOGUE, DAY, START

from stream_app.engine import load_catalogue
from stream_app.engine.replay import Event, Replay, ReplayRecord
from stream_app.engine.taught import CameOut, Recorded, RecordedError, Taught, line_of, read_models
from stream_app.learning.snapshot import Logistic, Model, Trained
from stream_app.learning.training import DayEnd, columns_id, decode

COLUMNS = ["orders_9d"]


def model(version: int, intercept: float, state: str = "live") -> Model:
    """A model of `orders_soon` that says the same of everybody."""
    scorer = Logistic(
        names=["orders_9d", "orders_9d?"],
        mean=[0.0, 0.0],
        scale=[1.0, 1.0],
        weights=[0.0, 0.0],
        intercept=intercept,
        platt=None,
        reference=[0.0, 0.0],
    )
    return Model(
        kind="classifier",
        task="orders_soon",
        version=version,
        parent=None,
        columns=COLUMNS,
        columns_id=columns_id(COLUMNS),
        created_at=START,
        trained=Trained(from_=START, to=START, examples=1_000, positives=100),
        metrics={},
        scorer=scorer,
        state=state,  # type: ignore[arg-type]
        thresholds=[0.2, 0.4, 0.6],
    )


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory):
    path: Path = tmp_path_factory.mktemp("catalogue") / "catalogue.yaml"
    path.write_text(CATALOGUE)
    return load_catalogue(path)


def bands(catalogue, models: list[CameOut], partitions: int = 1) -> list[tuple[str, int, str]]:
    """User, time and band of each change, of a shop in which ten users buy at noon every day."""
    replay = Replay(catalogue.compile(), partitions)
    taught = Taught(replay, catalogue.learning, Recorded(models))
    at = [START + day * DAY + DAY // 2 + user for day in range(6) for user in range(10)]
    events = [
        Event(1, f"u{n % 10}", one, ReplayRecord(purchase(f"u{n % 10}", n, 60, one), one, n))
        for n, one in enumerate(at)
    ]
    found = []
    for done in replay.feed(events):
        assert not done.refused
        taught.after(done.step)
        found += [
            (change.user_id, change.occurred_at, str(change.value))
            for change in done.step.outputs.changes
            if change.tag == "orders_soon"
        ]
    return found


def test_a_model_decides_from_the_day_end_on_at_which_it_came_out(catalogue) -> None:
    out = [CameOut(START + 2 * DAY, model(1, -5.0)), CameOut(START + 4 * DAY, model(2, 5.0))]
    found = bands(catalogue, out)
    first = {user: (at, band) for user, at, band in reversed(found)}
    assert {band for _, band in first.values()} == {"low"}
    # In the very next step, in which the next day's users buy.
    assert all(START + 2 * DAY <= at <= START + 2.5 * DAY + 10 for at, _ in first.values())
    later = [(at, band) for _, at, band in found if band == "top"]
    assert len(later) == len(first) > 5
    assert all(START + 4 * DAY <= at <= START + 4.5 * DAY + 10 for at, _ in later)


def test_a_held_model_decides_nothing(catalogue) -> None:
    out = [CameOut(START + 2 * DAY, model(1, -5.0))]
    held = [*out, CameOut(START + 4 * DAY, model(2, 5.0, "held"))]
    assert bands(catalogue, held) == bands(catalogue, out)


@pytest.mark.parametrize("partitions", [1, 2, 3])
def test_models_wait_for_the_last_partition(catalogue, partitions) -> None:
    found = bands(catalogue, [CameOut(START + 2 * DAY, model(1, -5.0))], partitions)
    assert found
    assert all(at >= START + 2 * DAY for _, at, _ in found)


def test_a_days_end_is_a_step_of_its_own(catalogue) -> None:
    replay = Replay(catalogue.compile())
    events = [
        Event(1, "a", at, ReplayRecord(purchase("a", n, 60, at), at, n))
        for n, at in enumerate([START + 1, START + 2 * DAY + 1])
    ]
    ended = []
    for done in replay.feed(events):
        days = [decode(bytes(value)) for _, value in done.step.training]
        ended.append([one.at for one in days if isinstance(one, DayEnd)])
        assert not (ended[-1] and sum(done.step.events))
    assert ended == [[], [START + DAY], [START + 2 * DAY], []]


def test_models_survive_being_written_and_read() -> None:
    came = [CameOut(START, model(1, 0.25)), CameOut(START + DAY, model(2, -1.0, "held"))]
    assert list(read_models(map(line_of, came), "models.ndjson")) == came


@pytest.mark.parametrize(
    "line", [b"", b"{}", b'{"at":1,"model":{},"more":1}', b'{"at":1,"model":3}']
)
def test_what_is_no_model_is_refused_with_its_line(line: bytes) -> None:
    with pytest.raises(RecordedError, match=r"^m\.ndjson:2: "):
        list(read_models([line_of(CameOut(START, model(1, 0.0))), line], "m.ndjson"))
