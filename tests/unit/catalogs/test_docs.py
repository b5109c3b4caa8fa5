"""docs/catalogue.md is complete, its examples compile, its tables are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from support.catalogue_docs import PAGE, rendered

from stream_app.domain.errors import DeclarationError
from stream_app.domain.source import loads
from stream_app.engine import load_catalogue
from stream_app.features import declare
from stream_app.tagging import RULE_CLASSES

TEXT = PAGE.read_text()
EXAMPLES = re.findall(r"```yaml\n(.*?)```", TEXT, flags=re.S)


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_examples_compile(example: str, tmp_path: Path) -> None:
    file = tmp_path / "example.yaml"
    file.write_text(example)
    catalogue = load_catalogue(file)
    assert set(catalogue.features.names) == set(yaml.safe_load(example)["features"])


def kinds() -> set[str]:
    """Every kind of feature that the compiler knows: what it offers to who names none."""
    with pytest.raises(DeclarationError) as refused:
        declare(loads("nameless: {}", "kinds.yaml"))
    return set(refused.value.expected.removeprefix("one of ").split(", "))


def test_every_kind_is_in_the_table_and_in_an_example() -> None:
    documented = set(re.findall(r"^\| `(\w+)` \|", TEXT, flags=re.M))
    assert len(kinds()) > 10
    assert kinds() <= documented
    shown = {
        next(iter(declaration))
        for example in EXAMPLES
        for declaration in yaml.safe_load(example)["features"].values()
    }
    assert kinds() <= shown


def test_every_class_and_key_of_tags_is_named() -> None:
    words = {word for code in re.findall(r"`([^`\n]+)`", TEXT) for word in code.split()}
    assert set(RULE_CLASSES) | {"until", "hold", "expires", "top", "min_share"} <= words


def test_generated_tables_are_current() -> None:
    assert rendered(TEXT) == TEXT, "run: PYTHONPATH=tests python -m support.catalogue_docs"


def test_stated_costs_and_error_are_those_of_the_code(tmp_path: Path) -> None:
    file = tmp_path / "example.yaml"
    file.write_text(EXAMPLES[1])
    stated = dict(re.findall(r"^\| `(\w+)` \|[^|]*\| (\d+) \|$", TEXT, flags=re.M))
    costs = {cost.kind: cost for cost in load_catalogue(file).features.describe()}
    assert len(stated) >= 4
    assert stated == {kind: str(costs[kind].bytes) for kind in stated}
    assert costs["distinct"].note in " ".join(TEXT.split())
