"""docs/learning.md: its example compiles, its states, figures and keys are those of the code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import yaml

from stream_app.domain.clock import DAY
from stream_app.domain.errors import DeclarationError
from stream_app.engine import load_catalogue
from stream_app.learning import alarms, anomaly, clusters, gate, predictor, verdict
from stream_app.learning.cohort import TaskExample
from stream_app.learning.cohorts import Cohorts
from stream_app.learning.declaration import (
    HOLDOUT,
    MAX_FLIPS,
    MAX_GAP_MS,
    Segmentation,
    TopShare,
    Unusual,
)
from stream_app.learning.snapshot import State
from stream_app.learning.thresholds import Threshold
from stream_app.learning.training import Example, columns_id

PAGE = Path(__file__).parents[3] / "docs" / "learning.md"
TEXT = PAGE.read_text()
EXAMPLE, SEGMENTED = re.findall(r"```yaml\n(.*?)```", TEXT, flags=re.S)


def rows(heading: str) -> list[list[str]]:
    """The cells of the tables of a section, without their heads."""
    section = TEXT.split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def named(heading: str) -> set[str]:
    """What the first column of a section's tables names."""
    return {name for row in rows(heading) for name in re.findall(r"`([^`]+)`", row[0])}


def written(text: str, folder: Path) -> Path:
    file = folder / "example.yaml"
    file.write_text(text)
    return file


def test_the_example_declares_a_prediction_in_five_lines(tmp_path: Path) -> None:
    learning = load_catalogue(written(EXAMPLE, tmp_path)).learning
    assert learning is not None
    [task] = learning.tasks
    assert learning.segmentation is not None
    assert (task.holdout, task.max_flips, learning.max_gap_ms) == (HOLDOUT, MAX_FLIPS, MAX_GAP_MS)
    declared = yaml.safe_load(EXAMPLE)["learning"]["predictions"]
    assert len(declared[task.name]) == 5


def test_every_key_of_a_prediction_is_in_the_table(tmp_path: Path) -> None:
    file = written(EXAMPLE.replace("horizon:", "no_key: 1\n      horizon:"), tmp_path)
    with pytest.raises(DeclarationError) as refused:
        load_catalogue(file)
    keys = set(refused.value.expected.removeprefix("one of ").split(", "))
    assert len(keys) > 8
    assert named("Declaring a prediction") == keys - {"description"}


def test_the_example_of_segments_declares_all_keys_but_those_of_predictions(tmp_path: Path) -> None:
    text = EXAMPLE.split("learning:\n")[0] + SEGMENTED
    learning = load_catalogue(written(text, tmp_path)).learning
    assert learning is not None
    assert learning.segmentation is not None
    assert learning.segmentation.share_of == "spend_30d"
    assert learning.unusual is not None
    assert learning.families
    assert learning.words


def test_figures_of_segments_and_of_the_population_are_told() -> None:
    day = 17_000
    columns, users = ("a", "b"), clusters.LEAST
    made = clusters.Clusters(Segmentation(columns, 1.0), columns, unusual=Unusual(columns, 0.1))
    middles = np.arange(users)[:, None] % 3 * 5 + np.array([10, 3])
    values = np.expm1(np.random.default_rng(0).normal(middles, 0.2))
    models = []
    for at in (day, day + clusters.REFIT_DAYS):
        for i, vector in enumerate(values):
            sample = Example(f"u{i}", 0, at * DAY, columns_id(columns), [0.0], {}, True)
            made.example(sample, vector)
        models += made.day(at * DAY)
    ids = r"_s[0-9]+$|_(a|b)$"
    told = {re.sub(ids, "_ID", name) for model in models for name in model.metrics}
    section = TEXT.split("## Segments and who is unusual\n")[1].split("\n## ")[0]
    assert told == {
        "k", "silhouette", "stability", "size_unusual", "size_ID", "moved_ID", "missing_ID",
        "drift_alarms", "median", "share",
    }  # fmt: skip
    for name in told - {"missing_ID"} | {"missing_NAME", "drift_NAME"}:
        assert f"`{name}`" in section


def test_every_state_is_in_the_table() -> None:
    assert named("States") == set(get_args(State))


def test_every_figure_is_in_the_table() -> None:
    cohorts = Cohorts(DAY, DAY)
    cohorts.sample(TaskExample("u", 0, DAY, np.zeros(1), 0.5))
    cohorts.outcome("u", DAY, 2 * DAY, 1.0)
    [cohort] = cohorts.day_end(0, 1, 2 * DAY, 0).cohorts
    threshold = Threshold(0.5, None, None, 1, 1)
    told = {name for name, _ in verdict.figures(TopShare(0.1), cohorts.counts, cohort, threshold)}
    told = {name.removeprefix("held_out_").removeprefix("exposed_") for name in told}
    assert told - {"cohort"} | {"flips"} == named("What the figures mean")


def test_stated_numbers_are_those_of_the_code() -> None:
    text = " ".join(TEXT.split())
    assert f"{verdict.LEAST_EXAMPLES} examples have closed" in text
    assert f"{verdict.LEAST_POSITIVES} of them came true" in text
    assert f"newest {predictor.NEWEST:,} vectors" in text
    assert f"learned {gate.GROWN:,} examples" in text
    assert f"from {clusters.LEAST} users on" in text
    assert f"Below {anomaly.LEAST_SCORED:,} users the model is `warming`" in text
    assert f"by {anomaly.TREES} trees" in text
    assert (alarms.TOLD_DAYS, "tells for four weeks" in text) == (28, True)
    assert (clusters.REFIT_DAYS, "every seventh day" in text) == (7, True)
    assert f"`learning.max_gap` ({MAX_GAP_MS // DAY}d without)" in text
    assert f"never get the tag, so that its effect can be told apart; {HOLDOUT} without" in text
    assert f"change at once; {MAX_FLIPS:g} without" in text
