from __future__ import annotations

import json

import pytest
from click.testing import CliRunner, Result

from stream_app.cli import main


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["acls", *arguments], env={"STREAM_APP_APP_ID": "shop"})


def test_the_table_has_a_part_for_each_role() -> None:
    text = run().output
    for role in ("producer", "worker", "trainer", "consumer", "operator", "maintainer"):
        assert f"{role}: User:shop-{role}" in text


def test_json_names_principals() -> None:
    found = json.loads(run("--format", "json", "--principal", "worker=User:CN=w,O=x").output)
    assert {one["principal"] for one in found if one["role"] == "worker"} == {"User:CN=w,O=x"}
    assert {"resource", "name", "operations", "prefixed", "why"} <= set(found[0])


def test_one_role_alone() -> None:
    lines = run("--format", "commands", "--role", "consumer", "--group", "g").output.splitlines()
    assert len(lines) == 2
    assert all("--allow-principal User:shop-consumer " in line for line in lines)
    assert any(line.endswith("--operation Read --group g") for line in lines)


def test_a_catalogue_that_learns_nothing_has_no_trainer() -> None:
    text = run("--catalog", "tests/support/every_kind.yaml", "--format", "json").output
    assert "trainer" not in text


@pytest.mark.parametrize("named", ["worker", "worker=me", "cook=User:x"])
def test_a_principal_that_is_none_is_refused(named: str) -> None:
    result = run("--principal", named)
    assert result.exit_code == 2
    assert "is not as worker=User:tagger" in result.output
