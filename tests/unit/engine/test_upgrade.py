"""State that older versions have written means the same now; see tests/data/README.md."""

from __future__ import annotations

import base64
import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from support.clicks import click
from support.partition import records

from stream_app.engine import Profiles, Program, load_catalogue, step
from stream_app.engine.changelog import META, Loader
from stream_app.engine.held import Held
from stream_app.engine.outputs import tag_states
from stream_app.engine.versions import OLDEST

FILES = sorted((Path(__file__).parents[2] / "data" / "changelogs").glob("*.json.gz"))


@cache
def content(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(gzip.decompress(path.read_bytes()))
    return found


@pytest.fixture(params=FILES, ids=lambda path: path.name.removesuffix(".json.gz"))
def old(request) -> dict[str, Any]:
    return content(request.param)


def log(old: dict[str, Any]) -> list[tuple[bytes, bytes]]:
    return [(base64.b64decode(key), base64.b64decode(value)) for key, value in old["records"]]


def restored(old: dict[str, Any], program: Program) -> Profiles:
    loader = Loader(program, 0, 1)
    loader.add(log(old))
    return loader.finish()


@pytest.fixture
def same(old, tmp_path) -> Program:
    """The catalogue that the state was written under."""
    path = tmp_path / "retail.yaml"
    path.write_text(old["catalogue"])
    return load_catalogue(path).compile()


def test_there_is_state_of_the_oldest_format_that_can_be_read() -> None:
    metas = [json.loads(dict(log(content(path)))[META]) for path in FILES]
    assert OLDEST in {meta.get("format", 1) for meta in metas}


def test_features_and_tags_are_as_they_were(old, same) -> None:
    profiles = restored(old, same)
    assert len(profiles) == len(old["features"]) > 0
    assert json.loads(json.dumps(dict(profiles.read_all(old["at"])))) == old["features"]
    tags = {state.user_id: dict(state.tags) for state in tag_states(profiles)}
    assert json.loads(json.dumps(tags)) == old["tags"]


def test_under_the_catalogue_of_today_what_is_declared_alike_has_the_same_values(old, same) -> None:
    today = load_catalogue("retail").compile()
    profiles, declared = restored(old, today), today.catalogue.features.declarations
    before = same.catalogue.features.declarations
    alike = [name for name in before if declared.get(name) == before[name]]
    assert len(alike) > 35
    found = json.loads(json.dumps(dict(profiles.read_all(old["at"]))))
    for user, values in old["features"].items():
        assert {n: found[user][n] for n in alike} == {n: values[n] for n in alike}
    # Everybody is decided anew where the catalogue is another.
    assert (profiles.due == 0).all() or same.catalogue.revision == today.catalogue.revision


def test_they_go_on_as_they_would_have(old, same) -> None:
    profiles = restored(old, same)
    user = next(iter(old["features"]))
    seen = dict(profiles.read(user))
    step(profiles, [records([click(user, 1, old["at"], type="view_item")], at=old["at"]), []])
    assert profiles.read(user)["views_7d"] == seen["views_7d"] + 1
    assert profiles.users == [*restored(old, same).users]


def test_the_figures_of_a_move_are_those_of_the_rows(old) -> None:
    held = Held(0)
    held.add(log(old))
    assert held.figures().users == len(old["features"])
