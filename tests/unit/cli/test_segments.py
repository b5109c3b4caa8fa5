"""`stream-app segments`: tables, JSON, and pictures where they can be drawn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from msgspec.structs import replace
from support.learned import TEXT
from support.learned import model as learned
from support.learned import segments as centroids

from stream_app.cli import main
from stream_app.cli import segments as module
from stream_app.cli._segment_table import described
from stream_app.domain.clock import DAY
from stream_app.learning.scorers import Change, Twin
from stream_app.learning.snapshot import Model, Trained, current_key, encode, key
from stream_app.report.extra import MissingExtra

BORN = [Change(fate="born", before=[], after=[name]) for name in ("s1", "s2")]


def version(number: int, *changes: Change, **fields: Any) -> Model:
    """Two segments, of 60 and 30 of 100 users; centres at 0 and at 7 clicks."""
    given: dict[str, Any] = {
        "sizes": [30, 60],
        "labels": ["often here", "typical"],
        "since": [DAY, 2 * DAY],
        "shares": [0.75, 0.2],
        "transitions": list(changes),
        "dropped": [Twin(feature="views", like="clicks_24h", correlation=0.97)],
    }
    scorer = replace(centroids(float(np.log(8)), 0.0), **(given | fields))
    trained = Trained(from_=0, to=number * DAY, examples=100, positives=0)
    return learned("segments", scorer, number, created_at=number * DAY, trained=trained)


ONE = version(1, *BORN)
TWO = version(
    2,
    Change(fate="split", before=["s1"], after=["s1", "s2"]),
    Change(fate="merged", before=["s3", "s4"], after=["s3"]),
    Change(fate="died", before=["s5"], after=[]),
    Change(fate="survived", before=["s6"], after=["s6"]),
)
FOUND = {key("segments", m.version): encode(m) for m in (ONE, TWO)} | {
    current_key("segments"): encode(TWO)
}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "shop.yaml"
    path.write_text(TEXT.replace("rate: 1}", "rate: 1, share_of: spend_30d}"))
    monkeypatch.setenv("STREAM_APP_CATALOG", str(path))
    monkeypatch.setenv("COLUMNS", "160")
    # The learned features, in the catalogue's order: clicks_24h, spend_30d, price_7d.
    monkeypatch.setattr(module, "newest_samples", samples)

    def run(found: dict[bytes, bytes], *arguments: str) -> Result:
        async def published(settings: object) -> dict[bytes, bytes]:
            return found

        monkeypatch.setattr(module, "published", published)
        return CliRunner().invoke(main, ["segments", *arguments])

    return run


async def samples(settings: object, columns: tuple[str, ...]) -> np.ndarray:
    assert columns == ("clicks_24h", "spend_30d", "price_7d")
    clicks = np.repeat([0.0, 7.0, 100.0], 20)
    return np.column_stack([clicks + np.arange(60) % 3, clicks, np.full(60, np.nan)])


def test_the_largest_first_with_shares_age_and_what_sets_them_apart(run) -> None:
    result = run(FOUND)
    assert result.exit_code == 0, result.stderr
    lines = [" ".join(line.split()) for line in result.output.splitlines() if line.strip()]
    assert lines[0].startswith("segment name users share of spend_30d since")
    assert lines[2:5] == [
        "s2 typical 60 60.0% 20.0% 1970-01-03 nothing: as most users",
        "s1 often here 30 30.0% 75.0% 1970-01-02 clicks_24h 7 (0)",
        "unusual far from all 10 10.0%",
    ]
    assert lines[5] == "version 2, fitted 1970-01-03 to 100 users"


def test_what_became_of_others_newest_first_and_what_is_left_out(run) -> None:
    lines = [line.strip() for line in run(FOUND).output.splitlines()]
    at = lines.index("What became of segments")
    assert lines[at + 1 : at + 5] == [
        "1970-01-03  s1 split into s1, s2",
        "1970-01-03  s3, s4 became s3",
        "1970-01-03  gone: s5",
        "1970-01-02  new: s1, s2",
    ]
    assert "views, like clicks_24h (correlation 0.97)" in lines


def test_it_is_json_too(run) -> None:
    told = json.loads(run(FOUND, "--format", "json").output)
    assert [one["id"] for one in told["segments"]] == ["s2", "s1"]
    assert told["segments"][1]["apart"] == [
        {"feature": "clicks_24h", "value": 7.0, "typical": 0.0, "spreads": float(np.log(8))}
    ]
    assert (told["unusual"], told["share_of"], len(told["changes"])) == (10, "spend_30d", 4)


def test_models_of_an_earlier_version_have_neither_names_nor_ages() -> None:
    bare = version(1, labels=[], since=[], shares=None)
    assert [(s.id, s.name, s.since, s.share_of_sum) for s in described(bare)] == [
        ("s2", "", None, None),
        ("s1", "", None, None),
    ]


def test_without_segments_that_is_said(run) -> None:
    result = run({key("other", 1): b"{}"})
    assert result.exit_code == 2
    assert "no segments are published yet" in result.stderr


def test_a_kept_version_that_cannot_be_read_is_warned_of(run) -> None:
    result = run(FOUND | {key("segments", 3): b"{}"})
    assert result.exit_code == 0
    assert "warning: version 3 cannot be read: checksum" in result.stderr


def test_pictures_are_drawn(run, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    result = run(FOUND, "--pictures", str(tmp_path / "pictures"))
    assert result.exit_code == 0, result.stderr
    drawn = sorted((tmp_path / "pictures").iterdir())
    assert [path.name for path in drawn] == [
        *("segments-centres.png", "segments-sizes.png", "segments-users.png"),
    ]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in drawn)
    assert all(str(path) in result.stderr for path in drawn)


def test_without_the_extra_nothing_is_read_and_what_to_install_is_said(run, monkeypatch) -> None:
    def missing() -> None:
        raise MissingExtra("pip install 'stream-app[report]'")

    monkeypatch.setattr(module, "require_extra", missing)
    result = run({}, "--pictures", "x")
    assert result.exit_code == 2
    assert "stream-app[report]" in result.stderr
