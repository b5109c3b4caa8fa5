"""Pictures are PNG files that show every segment."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stream_app.learning.clusters import SEGMENTS
from stream_app.learning.segments import Settings, fit_segments
from stream_app.learning.snapshot import Model, Quantiles, Trained
from stream_app.learning.training import columns_id
from stream_app.report import pictures

DAY = 86_400_000
COLUMNS = ["orders", "spend", "age"]
VECTORS = np.concatenate(
    [np.exp(np.random.default_rng(i).normal([i, 6 - 2 * i, 0.0], 0.3, (60, 3))) for i in range(3)]
)


def model(at: int = 20_000 * DAY) -> Model:
    found = fit_segments(VECTORS, COLUMNS, Settings(k=(3, 3)))
    return Model(
        kind="segments",
        task=SEGMENTS,
        version=at // DAY,
        parent=None,
        columns=COLUMNS,
        columns_id=columns_id(COLUMNS),
        created_at=at,
        trained=Trained(from_=at, to=at, examples=len(VECTORS), positives=0),
        metrics={},
        scorer=found.centroids,
        state="live",
        thresholds=[],
    )


def drawn(path: Path) -> bytes:
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG")
    assert 2_000 < len(data) < 80_000
    return data


def test_every_picture_is_drawn_and_the_same_each_time(tmp_path: Path) -> None:
    models = [model(), model(20_007 * DAY)]
    for name in ("a", "b"):
        pictures.centroids_heat_map(models[-1], tmp_path / f"{name}1.png")
        pictures.sizes(models, tmp_path / f"{name}2.png")
        pictures.components(models[-1], VECTORS, tmp_path / f"{name}3.png")
        at = [20_000 * DAY, 20_001 * DAY, 20_002 * DAY]
        lines = {"stream_app": [None, 0.7, 0.8], "refit": [0.6, 0.7, None]}
        pictures.auc_by_cohort("likely", at, lines, tmp_path / f"{name}4.png")
    for i in range(1, 5):
        assert drawn(tmp_path / f"a{i}.png") == drawn(tmp_path / f"b{i}.png")


def test_missing_values_and_a_single_feature_are_drawn(tmp_path: Path) -> None:
    vectors = np.where(np.arange(len(VECTORS))[:, None] % 7 == 0, np.nan, VECTORS)
    pictures.components(model(), vectors, tmp_path / "some.png")
    points, explained = pictures._principal(np.arange(10.0)[:, None])
    assert points.shape == (10, 2)
    assert explained == pytest.approx([1.0, 0.0])


def test_components_are_the_directions_of_most_variance() -> None:
    rng = np.random.default_rng(3)
    z = rng.normal(size=(500, 1)) * [3.0, 3.0, 0.0] + rng.normal(size=(500, 3)) * 0.1
    points, explained = pictures._principal(z)
    assert explained[0] > 0.98
    assert abs(np.corrcoef(points[:, 0], z[:, 0] + z[:, 1])[0, 1]) > 0.999


def test_other_models_are_refused(tmp_path: Path) -> None:
    from msgspec.structs import replace

    other = replace(model(), kind="population", scorer=Quantiles(by_column={}))
    with pytest.raises(ValueError, match="kind population"):
        pictures.sizes([other], tmp_path / "no.png")
