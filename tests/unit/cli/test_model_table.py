"""Published models as tables: which rows, which figures."""

from __future__ import annotations

from msgspec.structs import replace
from rich.console import Console
from support.learned import model as learned
from support.learned import segments
from support.trainer import model

from stream_app.cli._model_table import Row, current, plain, tables
from stream_app.learning.scorers import Quantiles

METRICS = {"auc": 0.75, "lift": 2.5, "cohort": 86_400_000.0, "examples": 10.0, "positives": 2.0}


def text(*rows: Row) -> list[str]:
    console = Console(width=200)
    with console.capture() as captured:
        for table in tables(rows):
            console.print(table)
    return [line.strip() for line in captured.get().splitlines() if line.strip()]


def row(version: int = 1, *, in_use: bool = True, **fields: object) -> Row:
    return Row("counted", version, in_use, replace(model(version), **fields))


def test_a_prediction_shows_what_says_how_good_it_is() -> None:
    _, _, line = text(row(metrics=METRICS))
    assert line.split() == [
        *("counted", "1*", "live", "1970-01-02", "3"),
        *("1970-01-02", "20.0%", "0.750", "-", "-", "2.50", "-"),
    ]


def test_the_one_in_use_is_marked_and_kinds_have_tables_of_their_own() -> None:
    centres = learned("segments", segments(0.0, 1.0), metrics={"k": 2.0, "silhouette": 0.5})
    spread = Quantiles(by_column={"orders_30d": [(0.5, 1.0)]})
    people = learned("population", centres.scorer, kind="population")
    people = replace(people, scorer=spread, columns=["orders_30d"])
    lines = text(
        row(2, in_use=False),
        Row("segments", 1, True, centres),
        Row("population", 1, True, people),
    )
    assert [line.split()[0] for line in lines if "─" not in line] == [
        *("prediction", "counted", "segments", "segments", "population", "population"),
    ]
    assert lines[2].split()[1] == "2"
    assert lines[5].split()[4:] == ["1", "2", "0.500", "-", "50%"]


def test_a_model_that_cannot_be_used_is_listed_with_its_fault() -> None:
    lines = text(row(), Row("other", 7, True, "checksum: missing"))
    assert lines[-1].split() == ["other", "7*", "checksum:", "missing"]


def test_what_is_newer_than_the_one_in_use_is_current_too() -> None:
    rows = [row(3, in_use=False, state="held"), row(2), row(1, in_use=False)]
    assert [one.version for one in current(rows)] == [3, 2]
    other = Row("other", 1, False, "broken")
    assert current([*rows, other])[-1] == other


def test_plain_has_all_metrics_or_the_fault() -> None:
    [good, bad] = plain([row(metrics=METRICS), Row("other", 7, False, "checksum: missing")])
    assert good["metrics"] == METRICS
    assert good["learned_until"] == "1970-01-02T00:00:00.000Z"
    assert bad == {
        "task": "other", "version": 7, "in_use": False, "pinned": False,
        "fault": "checksum: missing",
    }  # fmt: skip
