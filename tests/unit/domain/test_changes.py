"""Tag changes and states: valid by their schemas, and read back as they were."""

from __future__ import annotations

import json
import math

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.schemas import schema, validator

from stream_app.domain.because import Because
from stream_app.domain.changes import (
    Cause,
    Source,
    TagChange,
    TagState,
    change_id,
    decode_change,
    decode_state,
    encode,
)

MOMENTS = st.integers(0, 4_000_000_000_000)
CONFIDENCES = st.floats(0, 1)
VALUES = st.just(True) | st.text(min_size=1) | st.lists(st.text(), min_size=1, unique=True)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
OPERANDS = st.none() | FLOATS | st.text() | st.lists(FLOATS) | st.lists(st.text())
NAMES = st.text(min_size=1, max_size=9)
VALUE_PAIRS = st.one_of(
    st.tuples(st.just("added"), VALUES, st.none()),
    st.tuples(st.just("removed"), st.none(), VALUES),
    st.tuples(st.just("updated"), VALUES, VALUES),
)


@st.composite
def changes(draw: st.DrawFn) -> TagChange:
    user, version = draw(st.text(min_size=1, max_size=256)), draw(st.integers(1, 2**32 - 1))
    action, value, previous = draw(VALUE_PAIRS)
    return TagChange(
        change_id=change_id(user, draw(MOMENTS), version),
        user_id=user,
        tag=draw(NAMES),
        cls=draw(st.sampled_from(schema("tags")["properties"]["class"]["enum"])),
        action=action,
        value=value,
        previous=previous,
        confidence=draw(CONFIDENCES),
        version=version,
        occurred_at=draw(MOMENTS),
        emitted_at=draw(MOMENTS),
        valid_until=draw(st.none() | MOMENTS),
        source=Source(kind="rule", name=draw(NAMES), revision=draw(st.text())),
        because=draw(
            st.lists(
                st.builds(
                    Because,
                    NAMES,
                    OPERANDS,
                    st.just(">="),
                    OPERANDS,
                    st.none() | FLOATS,
                    st.none() | FLOATS,
                ),
                max_size=3,
            )
        ),
        cause=draw(
            st.none()
            | st.builds(Cause, st.text(), st.integers(0, 99), st.integers(0, 2**63 - 1), st.text())
        ),
    )


STATES = st.builds(
    TagState,
    st.text(min_size=1, max_size=256),
    MOMENTS,
    st.integers(1, 2**32 - 1),
    MOMENTS,
    st.dictionaries(
        NAMES,
        st.fixed_dictionaries(
            {
                "value": VALUES,
                "confidence": CONFIDENCES,
                "since": MOMENTS,
                "valid_until": st.none() | MOMENTS,
            }
        ),
        max_size=3,
    ),
)


@settings(max_examples=60)
@given(changes())
def test_change_is_valid_and_round_trips(change: TagChange) -> None:
    value = encode(change)
    validator("tags").validate(json.loads(value))
    assert decode_change(value) == change


@settings(max_examples=60)
@given(STATES)
def test_state_is_valid_and_round_trips(state: TagState) -> None:
    value = encode(state)
    validator("tag-state").validate(json.loads(value))
    assert decode_state(value) == state


@pytest.mark.parametrize(("name", "struct"), [("tags", TagChange), ("tag-state", TagState)])
def test_schema_names_the_struct_s_fields_in_order(name: str, struct: type) -> None:
    fields = [field.encode_name for field in msgspec.structs.fields(struct)]
    assert list(schema(name)["properties"]) == schema(name)["required"] == fields


def test_schema_examples_are_read() -> None:
    for example in schema("tags")["examples"]:
        assert json.loads(encode(decode_change(json.dumps(example).encode()))) == example
    for example in schema("tag-state")["examples"]:
        assert json.loads(encode(decode_state(json.dumps(example).encode()))) == example


@pytest.mark.parametrize("part", ["source", "because", "cause"])
def test_schema_names_the_fields_of_parts(part: str) -> None:
    declared = schema("tags")["properties"][part]
    declared = declared.get("items", declared)
    struct = {"source": Source, "because": Because, "cause": Cause}[part]
    fields = msgspec.structs.fields(struct)
    assert list(declared["properties"]) == [field.name for field in fields]
    assert declared["required"] == [field.name for field in fields if field.required]


def test_reasons_of_rules_are_written_as_before_there_were_models() -> None:
    assert msgspec.json.encode(Because("f", None, "missing", None)) == (
        b'{"feature":"f","value":null,"op":"missing","threshold":null}'
    )


def test_numbers_that_are_not_finite_become_null() -> None:
    change = decode_change(json.dumps(schema("tags")["examples"][0]).encode())
    odd = msgspec.structs.replace(change, because=[Because("f", math.nan, "<", math.inf)])
    assert decode_change(encode(odd)).because == [Because("f", None, "<", None)]


@pytest.mark.parametrize("value", [b"", b"[]", b"{}", b"null", b'{"tags": 1}', b'{"as_of": 1}'])
def test_what_is_neither_is_refused(value: bytes) -> None:
    for decode in (decode_change, decode_state):
        with pytest.raises(ValueError):
            decode(value)
