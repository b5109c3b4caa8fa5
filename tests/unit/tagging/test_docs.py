"""docs/rules.md shows only what compiles, and says what happens."""

import re
from pathlib import Path

import numpy as np
import pytest
from support.reference_rules import truth

from stream_app.domain.errors import DeclarationError
from stream_app.domain.expression import Expression, Text, parse
from stream_app.domain.source import loads
from stream_app.tagging import compile_tags, declare

DOCUMENT = (Path(__file__).parents[3] / "docs" / "rules.md").read_text()
NUMBERS = (
    "spend_30d spend_7d orders_30d orders_24h orders_total carts_24h hours_since_cart registered"
)
TEXTS = "usual_device usual_country last_country"
KINDS = {
    **dict.fromkeys(NUMBERS.split(), "number"),
    **dict.fromkeys(TEXTS.split(), "text"),
    "interests": "list",
}
BLOCKS = re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL)
TABLE = DOCUMENT.split("| write | means |")[1].split("\n\n")[0]
CONDITIONS = re.findall(r"^\| `([^`]+)` \|", TABLE, re.MULTILINE)


def test_the_document_has_what_the_tests_look_for() -> None:
    assert len(BLOCKS) == 8
    assert len(CONDITIONS) == 15


@pytest.mark.parametrize("block", BLOCKS)
def test_examples_compile(block: str) -> None:
    node = loads(block, "rules.md").get("tags")
    assert node is not None
    tags = compile_tags(declare(node, KINDS), KINDS)
    assert all(tag.description for tag in tags.declarations.values())


@pytest.mark.parametrize("source", CONDITIONS)
def test_conditions_compile(source: str) -> None:
    assert isinstance(parse(source, KINDS, quantiles=True), Expression)


def test_the_error_that_is_shown_is_the_one_that_comes() -> None:
    shown = re.search(r"^    shop\.yaml:14: (.*)$", DOCUMENT, re.MULTILINE)
    text = "big_spender: {class: spending, when: spend_30 > 200}"
    with pytest.raises(DeclarationError) as caught:
        declare(loads(text, "shop.yaml"), KINDS)
    assert shown is not None
    assert "tags." + str(caught.value).removeprefix("shop.yaml:1: ") == shown[1]


def test_the_table_of_unknown_is_kleenes() -> None:
    rows = re.findall(r"^\| \*\*(\w+)\*\* \|(.*)\|$", DOCUMENT, re.MULTILINE)
    words = {"true": 1.0, "false": 0.0, "unknown": None}
    assert [name for name, _ in rows] == list(words)
    for name, cells in rows:
        sources = [f"a {op} b{i}" for op in ("and", "or") for i in range(3)] + ["not a"]
        row = {"a": words[name], **{f"b{i}": v for i, v in enumerate(words.values())}}
        for source, cell in zip(sources, cells.split("|"), strict=True):
            said = {"true": True, "false": False, "unknown": None}[cell.strip()]
            assert truth(source, row) is said
            assert evaluated(source, row) is said


def evaluated(source: str, row: dict[str, float | None]) -> bool | None:
    env = {name: np.array([np.nan if v is None else v]) for name, v in row.items()}
    result = parse(source, dict.fromkeys(row, "number")).evaluate(env)
    return True if result.t[0] else False if result.f[0] else None


def test_text_is_compared_by_what_it_says() -> None:
    env = {
        "usual_country": Text(np.array([0], np.int32), ["DE"]),
        "last_country": Text(np.array([1], np.int32), ["AT", "DE"]),
    }
    assert parse("usual_country == last_country", KINDS).true(env).tolist() == [True]
