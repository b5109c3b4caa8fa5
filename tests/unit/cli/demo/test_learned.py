"""The demo's table of predictions."""

from __future__ import annotations

import io

from msgspec.structs import replace
from rich.console import Console
from support.trainer import model

from stream_app.cli._demo.learned import prediction_table


def printed(*models):
    out = io.StringIO()
    Console(file=out, width=110).print(prediction_table(models))
    return out.getvalue()


def test_a_prediction_tells_how_good_it_was():
    metrics = {
        "cohorts": 21.0, "cohort": 1_500_000_000_000.0, "examples": 200.0, "positives": 50.0,
        "auc": 0.8125, "log_loss": 0.4, "lift": 2.25,
    }  # fmt: skip
    out = printed(replace(model(1), metrics=metrics))
    [line] = [row for row in out.splitlines() if "live" in row]
    assert line.split()[-9:] == ["21", "13", "Jul", "50", "of", "200", "0.812", "0.400", "2.2"]


def test_what_is_not_known_yet_is_a_dash():
    out = printed(replace(model(1), metrics={"auc": None}, state="warming"))
    assert "warming" in out
    assert "…" not in out
