"""docs/messages.md is what schemas/*.json and the reasons of dead letters say."""

from __future__ import annotations

import re

import pytest
from support.message_docs import MESSAGES, PAGE, fields, rendered
from support.schemas import schema, validator

from stream_app.domain.errors import Reason


def test_tables_and_examples_are_those_of_the_schemas() -> None:
    page = PAGE.read_text()
    assert page == rendered(page), "run: PYTHONPATH=tests python -m support.message_docs"


@pytest.mark.parametrize("name", MESSAGES)
def test_every_field_is_in_the_section_of_its_message(name: str) -> None:
    section = re.split(r"^###? ", PAGE.read_text(), flags=re.MULTILINE)
    (own,) = [part for part in section if part.startswith(f"{name}\n")]
    assert [field for field in fields(name) if f"| `{field}` |" not in own] == []
    assert set(schema(name).get("properties", {})) <= set(fields(name))


@pytest.mark.parametrize("name", MESSAGES)
def test_examples_are_valid(name: str) -> None:
    assert schema(name)["examples"]
    for example in schema(name)["examples"]:
        validator(name).validate(example)


def test_every_reason_says_what_to_do() -> None:
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| [^|]+ \|$", PAGE.read_text(), flags=re.MULTILINE)
    reasons = [reason.value for reason in Reason]
    assert sorted(set(rows) & set(reasons)) == sorted(reasons)
    assert sorted(schema("dead-letters")["properties"]["reason"]["enum"]) == sorted(reasons)
