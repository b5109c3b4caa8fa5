"""The records of `training`: read back as they were, and what the schema refuses is refused."""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.schemas import documents, mutants, schema, validator

from stream_app.domain.clock import DAY
from stream_app.learning.training import (
    DayEnd,
    Example,
    Outcome,
    Record,
    Release,
    Sampled,
    columns_id,
    decode,
    encode,
)

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
NAMES = st.text(min_size=1, max_size=256)
COUNTS = st.integers(0, 2**53 - 1)
DAYS = st.integers(1, 47_482).map(lambda day: day * DAY)
SAMPLED = st.builds(
    Sampled, st.none() | st.floats(0, 1), COUNTS, st.booleans(), st.none() | st.text()
)
EXAMPLES = st.builds(
    Example,
    user_id=NAMES,
    partition=COUNTS,
    at=DAYS,
    columns_id=st.lists(NAMES).map(columns_id),
    values=st.lists(st.none() | FLOATS, min_size=1),
    tasks=st.dictionaries(NAMES, SAMPLED, max_size=3),
    segment=st.booleans(),
)
OUTCOMES = st.builds(
    lambda at, days, **fields: Outcome(at=at, sampled_at=max(0, at - days * DAY), **fields),
    at=DAYS,
    days=st.integers(1, 90),
    user_id=NAMES,
    partition=COUNTS,
    task=NAMES,
    value=FLOATS,
)
DAY_ENDS = st.builds(
    lambda partition, more, **fields: DayEnd(
        partition=partition, partitions=partition + more, **fields
    ),
    partition=st.integers(0, 99),
    more=st.integers(1, 99),
    at=DAYS,
    columns=st.lists(NAMES, min_size=1, unique=True),
    gap_ms=COUNTS,
    users=COUNTS,
)
RELEASES = st.builds(Release, task=NAMES, version=st.integers(1, 2**53 - 1), at=DAYS)
EXAMPLE, OUTCOME, DAY_END, RELEASE = schema("training")["examples"]


def encoded(document: Any) -> bytes:
    return json.dumps(document).encode()


@settings(max_examples=70)
@given(EXAMPLES | OUTCOMES | DAY_ENDS | RELEASES)
def test_records_are_valid_and_round_trip(record: Record) -> None:
    value = encode(record)
    validator("training").validate(json.loads(value))
    assert decode(value) == record


def beyond_schema(document: dict[str, Any]) -> bool:
    """What no schema can say: how two fields of a record go together."""
    if document["kind"] == "outcome":
        return bool(document["sampled_at"] >= document["at"])
    return document["kind"] == "day" and bool(document["partition"] >= document["partitions"])


def refusal(document: Any) -> ValueError | None:
    try:
        decode(encoded(document))
    except ValueError as error:
        return error
    return None


def agree(document: Any) -> None:
    wanted = validator("training").is_valid(document) and not beyond_schema(document)
    assert (refusal(document) is None) == wanted, refusal(document)


@settings(max_examples=60)
@given(documents("training"))
@example({**OUTCOME, "at": float(OUTCOME["at"]), "value": 1})
def test_what_the_schema_accepts_is_read(document: Any) -> None:
    agree(document)


@settings(max_examples=80)
@given(mutants("training"))
@example({**EXAMPLE, "columns_id": EXAMPLE["columns_id"] + "\n"})
@example({**DAY_END, "columns": ["a", "b", "a"]})
def test_mutated_documents_are_judged_as_the_schema_does(document: Any) -> None:
    agree(document)


@pytest.mark.parametrize(
    "base", [EXAMPLE, OUTCOME, DAY_END, RELEASE], ids=lambda base: base["kind"]
)
def test_each_field_at_its_edge(base: dict[str, Any]) -> None:
    """Every field in turn takes every edge value: the product that random search may miss."""
    edges: list[Any] = [None, True, "", "a", "x" * 256, "x" * 257, 0, 1, -1, 0.5, 1.0, -0.0, DAY]
    edges += [DAY + 1, float(DAY), 47_482 * DAY, 47_483 * DAY, 2**53 - 1, 2**53, 1e308, 10**400]
    edges += [[], {}, [1], [None], ["a"], ["a", "a"], [[]], {"t": {}}, {"": EXAMPLE["tasks"]}]
    edges += ["outcome", "day", "example", "release", "0" * 16, "0" * 16 + "\n", "G" * 16]
    for field in base:
        for edge in edges:
            agree({**base, field: edge})
        agree({name: kept for name, kept in base.items() if name != field})


@pytest.mark.parametrize("field", ["score", "version", "held_out", "tag"])
def test_each_field_of_a_task_at_its_edge(field: str) -> None:
    task = EXAMPLE["tasks"]["likely_to_buy"]
    for edge in [None, True, "", "mid", 0, 1, 1.0, -1, 1.5, -0.0, 2**53, [], {}]:
        agree({**EXAMPLE, "tasks": {"likely_to_buy": {**task, field: edge}}})
    without = {name: kept for name, kept in task.items() if name != field}
    agree({**EXAMPLE, "tasks": {"likely_to_buy": without}})


@pytest.mark.parametrize(
    "value",
    [b"", b"[]", b"{}", b"null", b"1", b"\xff", b'{"kind":"example"}', b"[" * 100_000,
     b'{"x":' * 100_000, encoded(EXAMPLE) + b"x", encoded(EXAMPLE)[:-1]],
)  # fmt: skip
def test_what_is_no_record_is_refused(value: bytes) -> None:
    with pytest.raises(ValueError):
        decode(value)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "1" + "0" * 400])
def test_numbers_that_are_not_finite_are_refused(number: str) -> None:
    for document, was in ((EXAMPLE, "81.4"), (EXAMPLE, "0.31"), (OUTCOME, "1.0")):
        with pytest.raises(ValueError):
            decode(encoded(document).replace(was.encode(), number.encode()))


def test_values_that_are_not_finite_are_written_as_missing() -> None:
    record = decode(encoded(EXAMPLE))
    odd = msgspec.structs.replace(record, values=[math.nan, math.inf, -math.inf, 1.0])
    back = decode(encode(odd))
    assert isinstance(back, Example)
    assert back.values == [None, None, None, 1.0]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_an_outcome_that_is_not_finite_is_not_written(value: float) -> None:
    with pytest.raises(ValueError, match="not a finite number"):
        encode(Outcome("u", 0, 2 * DAY, "t", DAY, value))


@pytest.mark.parametrize(
    ("document", "changed", "message"),
    [
        (OUTCOME, {"sampled_at": OUTCOME["at"]}, "sampled_at: .* is not before at"),
        (DAY_END, {"partition": 4}, "partition: 4 of 4"),
        (DAY_END, {"columns": ["a", "b", "a"]}, "columns: a name comes twice"),
    ],
)
def test_refusals_name_the_field(
    document: dict[str, Any], changed: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        decode(encoded(document | changed))


class TestColumns:
    def test_the_fingerprint_is_that_of_names_in_order(self) -> None:
        assert columns_id(["orders_30d", "spend_30d"]) == "b23233ebdaa78a06"
        assert columns_id(["spend_30d", "orders_30d"]) != "b23233ebdaa78a06"

    def test_examples_of_the_schema_belong_together(self) -> None:
        record, day = decode(encoded(EXAMPLE)), decode(encoded(DAY_END))
        assert isinstance(record, Example)
        assert isinstance(day, DayEnd)
        assert record.columns_id == columns_id(day.columns)
        assert len(record.values) == len(day.columns)


@pytest.mark.parametrize(
    ("name", "struct"),
    [("example", Example), ("outcome", Outcome), ("day", DayEnd), ("release", Release)],
)
def test_schema_names_the_struct_s_fields_in_order(name: str, struct: type) -> None:
    declared = schema("training")["$defs"][name]
    assert list(declared["properties"]) == declared["required"]
    assert declared["required"] == ["kind", *struct.__struct_fields__]  # type: ignore[attr-defined]
