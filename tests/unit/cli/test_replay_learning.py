"""`stream-app replay --learn` learns on the way and reports; `--models` decides the same again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from support.small_learning import CATALOGUE, DAY, START, events

from stream_app.cli.errors import explain
from stream_app.cli.replay import command
from stream_app.domain.clock import from_rfc3339
from stream_app.learning.snapshot import decode
from stream_app.report import extra

PICTURES = {
    "auc_orders_soon.png",
    "auc_looks_soon.png",
    "segments.png",
    "sizes.png",
    "components.png",
}


def run(folder: Path, *arguments: str) -> Result:
    files = ["--catalog", str(folder / "catalogue.yaml"), str(folder / "events.ndjson")]
    return CliRunner().invoke(command, [*arguments, *files])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shop")
    (path / "catalogue.yaml").write_text(CATALOGUE)
    (path / "events.ndjson").write_bytes(b"\n".join(events()) + b"\n")
    return path


@pytest.fixture(scope="module")
def learned(folder: Path) -> Result:
    result = run(folder, "--learn", str(folder / "report"), "--simulated-clicks")
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture(scope="module")
def report(folder: Path, learned: Result) -> dict:
    return json.loads((folder / "report" / "report.json").read_text())


def tags(result: Result) -> list[dict]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_tags_are_decided_by_what_was_learned(learned: Result) -> None:
    found = {change["tag"] for change in tags(learned)}
    assert {"buyer", "orders_soon", "segments"} <= found
    first = next(c for c in tags(learned) if c["tag"] == "orders_soon")
    # Two days after the first cohort, and not before 500 examples have closed.
    assert from_rfc3339(first["occurred_at"]) >= START + 3 * DAY
    assert first["because"]


def test_recorded_models_decide_the_same(folder: Path, learned: Result) -> None:
    again = run(folder, "--models", str(folder / "report" / "models.ndjson"))
    assert again.exit_code == 0, again.output
    assert again.stdout == learned.stdout


def test_a_report_on_recorded_models_has_the_same_figures(folder: Path, report: dict) -> None:
    models = str(folder / "report" / "models.ndjson")
    again = run(folder, "--models", models, "--learn", str(folder / "again"), "--simulated-clicks")
    assert again.exit_code == 0, again.output
    found = json.loads((folder / "again" / "report.json").read_text())
    assert found.pop("models") == "recorded before"
    assert found == {name: part for name, part in report.items() if name != "models"}
    assert not (folder / "again" / "models.ndjson").exists()


def test_another_model_decides_otherwise(folder: Path, learned: Result) -> None:
    lines = (folder / "report" / "models.ndjson").read_bytes().splitlines(keepends=True)
    (folder / "fewer.ndjson").write_bytes(b"".join(lines[: len(lines) // 2]))
    again = run(folder, "--models", str(folder / "fewer.ndjson"))
    assert again.exit_code == 0
    assert again.stdout != learned.stdout


def test_models_are_written_in_order_with_their_day_ends(folder: Path, learned: Result) -> None:
    lines = (folder / "report" / "models.ndjson").read_text().splitlines()
    read = [json.loads(line) for line in lines]
    assert [one["at"] for one in read] == sorted(one["at"] for one in read)
    assert {one["model"]["task"] for one in read} >= {"orders_soon", "segments", "population"}
    assert all(decode(json.dumps(one["model"]).encode()).created_at <= one["at"] for one in read)


def test_the_report_tells_every_cohort_beside_its_comparisons(report: dict) -> None:
    task = report["predictions"]["orders_soon"]
    rows = task["cohorts"]
    # Of 15 day ends, the last two cohorts' outcomes are not known.
    assert len(rows) == 13
    assert sum(row["examples"] for row in rows) == task["examples"]
    assert sum(row["positives"] for row in rows) == task["positives"]
    assert rows[0]["auc"] is None
    last = rows[-1]
    assert last["state"] == "live"
    assert last["held"] is False
    for name in ("auc", "refit_auc", "best_auc", "recency_auc", "log_loss", "refit_log_loss"):
        assert 0 < last[name] < 1
    average = task["average"]
    assert average["cohorts"] == sum(row["auc"] is not None for row in rows) > 8
    assert average["auc"] == pytest.approx(
        sum(row["auc"] for row in rows if row["auc"] is not None) / average["cohorts"]
    )
    assert average["auc"] > 0.7
    # Cohorts drawn while the first versions were warming up decided nothing.
    deciding = [row for row in rows if row["deciding"]]
    assert deciding == rows[-len(deciding) :]
    assert 0 < task["average_deciding"]["cohorts"] <= len(deciding) < average["cohorts"]
    # The version came when its cohort closed, two days on, and decides those drawn after that.
    came = next(i for i, row in enumerate(rows) if row["state"] not in (None, "warming"))
    assert rows.index(deciding[0]) == came + 3
    assert task["best_feature"]["feature"] in ("orders_9d", "hours_since_order", "spend_9d")
    assert task["recency_feature"] == "hours_since_order"


def test_what_reads_simulated_clicks_is_no_evidence(folder: Path, report: dict) -> None:
    tasks = report["predictions"]
    assert tasks["orders_soon"]["evidence"] is True
    assert tasks["looks_soon"]["evidence"] is False
    assert tasks["looks_soon"]["reads_simulated_clicks"] == ["views_2d"]
    page = (folder / "report" / "report.md").read_text()
    assert "## looks_soon (no evidence)" in page
    assert "## orders_soon\n" in page


def test_segments_and_population_are_told_beside_k_means(report: dict) -> None:
    fits = report["segments"]
    beside = fits[-1]["beside_k_means"]
    assert set(beside) == {"silhouette", "k_means_silhouette", "agreement"}
    assert beside["silhouette"] > 0.2
    assert sum(one["size"] for one in fits[-1]["segments"]) <= fits[-1]["users"]
    features = report["population"]["features"]
    assert set(features) == {
        "orders_2d", "orders_9d", "spend_9d", "hours_since_order", "views_2d",
    }  # fmt: skip
    assert 0 < features["hours_since_order"]["missing"] < 1


def test_pictures_are_there_and_shown(folder: Path, report: dict) -> None:
    drawn = {path.name for path in (folder / "report").glob("*.png")}
    assert drawn == PICTURES
    page = (folder / "report" / "report.md").read_text()
    assert all(f"]({name})" in page for name in drawn)


def test_without_the_extra_it_says_what_to_install(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extra, "find_spec", lambda name: None)
    refused = run(folder, "--learn", str(folder / "none"))
    assert isinstance(refused.exception, extra.MissingExtra)
    [line] = explain(refused.exception)
    assert "matplotlib and scikit-learn: pip install 'stream-app[report]'" in line
    assert not (folder / "none").exists()
    # Deciding by recorded models needs none of it.
    models = folder / "report" / "models.ndjson"
    assert run(folder, "--models", str(models)).exit_code == 0


def test_nothing_is_imported_that_only_reports_need() -> None:
    # River itself looks for scikit-learn, and does without.
    code = "import sys; sys.modules |= dict.fromkeys(('matplotlib', 'PIL', 'sklearn')); "
    code += "import stream_app.cli.replay, stream_app.report.write, stream_app.learning.trainer"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_catalogue_without_learning_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "events.ndjson").write_bytes(b"")
    (tmp_path / "catalogue.yaml").write_text(CATALOGUE.split("learning:")[0])
    refused = run(tmp_path, "--learn", str(tmp_path / "report"))
    [line] = explain(refused.exception)  # type: ignore[arg-type]
    assert "declares nothing to learn" in line
    assert "--catalog" in line


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}\n", "broken.ndjson:1: Object missing required field `at`"),
        ('{"at":1,"model":{"kind":"segments"}}\n', "broken.ndjson:1: checksum: missing"),
        ("", "has no model of what the catalogue declares"),
    ],
)
def test_a_file_without_usable_models_is_refused(folder: Path, text: str, message: str) -> None:
    path = folder / "broken.ndjson"
    path.write_text(text)
    refused = run(folder, "--models", str(path))
    [line] = explain(refused.exception)  # type: ignore[arg-type]
    assert message in line
