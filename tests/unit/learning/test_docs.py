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
from stream_app.learning import clusters, predictor, verdict
from stream_app.learning.cohort import TaskExample
from stream_app.learning.cohorts import Cohorts
from stream_app.learning.declaration import HOLDOUT, MAX_FLIPS, MAX_GAP_MS, TopShare
from stream_app.learning.snapshot import State
from stream_app.learning.thresholds import Threshold

PAGE = Path(__file__).parents[3] / "docs" / "learning.md"
TEXT = PAGE.read_text()
[EXAMPLE] = re.findall(r"```yaml\n(.*?)```", TEXT, flags=re.S)


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
    assert f"learned {predictor.GROWN:,} examples" in text
    assert f"from {clusters.LEAST} users on" in text
    assert (clusters.REFIT_DAYS, "every seventh day" in text) == (7, True)
    assert f"`learning.max_gap` ({MAX_GAP_MS // DAY}d without)" in text
    assert f"never get the tag, so that its effect can be told apart; {HOLDOUT} without" in text
    assert f"change at once; {MAX_FLIPS:g} without" in text
