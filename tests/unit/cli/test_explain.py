"""`stream-app models explain`: an explanation as tables and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rich.console import Console
from support.clicks import START, click
from support.learned import TEXT, learned, models, snapshots
from support.partition import records

from stream_app.cli import _explain, main
from stream_app.cli._explain import in_use
from stream_app.cli._explained import shown
from stream_app.engine import Profiles, step
from stream_app.engine.explain import explain
from stream_app.engine.explanation import Explanation
from stream_app.kafka.console.one_profile import ProfileError
from stream_app.kafka.model_registry.models import ModelsError
from stream_app.learning.snapshot import Model, current_key, encode, key


def profiles() -> Profiles:
    made = Profiles(learned())
    made.use_models(models())
    step(made, [records([click("ann", n) for n in range(4)]), []], floor=0)
    return made


def told(found: dict[str, Model]) -> Explanation:
    learning = learned().catalogue.learning
    assert learning is not None
    return explain(profiles(), "ann", START, learning, found)


def text(found: dict[str, Model]) -> str:
    console = Console(width=120)
    with console.capture() as captured:
        for part in shown(told(found)):
            console.print(part)
    return captured.get()


def test_tables_tell_of_each_tag_what_it_is_and_why() -> None:
    lines = [line.split() for line in text(snapshots()).splitlines()]
    assert lines[3][:7] == ["tag", "high", "since", "2017-02-08", "12:00:00,", "55.6%", "sure,"]
    assert ["clicks_24h", "+1.609", "4", "0"] in lines
    assert ["threshold", "set", "from", "0.5000"] in lines
    assert ["s2", "0.182"] in lines
    assert ["without", "a", "value:", "price_7d,", "interests"] in lines


def test_without_models_that_is_said() -> None:
    assert text({}).count("no model is published yet") == 3


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """`run(found, *arguments)` explains ann, who is the only user there is."""
    path = tmp_path / "shop.yaml"
    path.write_text(TEXT)
    monkeypatch.setenv("STREAM_APP_CATALOG", str(path))

    def run(found: dict[bytes, bytes], *arguments: str) -> Result:
        async def published(settings: object) -> dict[bytes, bytes]:
            if not found:
                raise ModelsError("no model is published")
            return found

        async def one_profile(settings: object, program: object, user: str) -> Profiles:
            if user != "ann":
                raise ProfileError("there is no profile")
            return profiles()

        monkeypatch.setattr(_explain, "published", published)
        monkeypatch.setattr(_explain, "one_profile", one_profile)
        return CliRunner().invoke(main, ["models", "explain", *arguments])

    return run


FOUND = {current_key(task): encode(model) for task, model in snapshots().items()}


def test_json_is_as_of_partition_time_or_of_the_moment_asked_for(run) -> None:
    now = json.loads(run(FOUND, "ann", "--format", "json").output)
    assert now["at"] == "2017-02-08T12:00:00.000Z"
    assert now["predictions"][0]["verdict"]["would_be"] == "high"
    later = json.loads(run(FOUND, "ann", "--format", "json", "--at", "2017-03-01T00:00:00Z").output)
    assert later["features"]["clicks_24h"] == 0


def test_a_model_that_cannot_be_used_is_warned_of_and_the_rest_told(run) -> None:
    broken = run(FOUND | {current_key("buys"): b"{}"}, "ann")
    assert broken.exit_code == 0, broken.stderr
    assert "warning: the model of buys cannot be used: checksum" in broken.stderr
    assert "no model is published yet" in broken.stdout


def test_features_are_told_before_there_is_a_model_and_an_unknown_user_is_an_error(run) -> None:
    assert "clicks_24h" in run({}, "ann").stdout
    result = run({}, "bob")
    assert result.exit_code == 2
    assert "there is no profile" in result.stderr


def test_versions_that_are_not_in_use_are_no_models_in_use() -> None:
    models, faults = in_use(FOUND | {key("buys", 9): b"{}"})
    assert sorted(models) == ["buys", "segments", "stays"]
    assert faults == {}
