"""The public contract as test data: validators of schemas/*.json, and documents made from them."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis_jsonschema import from_schema
from jsonschema import Draft202012Validator

SCHEMAS = Path(__file__).parents[2] / "schemas"

#: Any JSON, and values that sit at the edge of a rule of some field.
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=6,
)
EDGES = st.sampled_from(
    [
        "", " ", "a\n", "\x7f", "a\x9fb", "ä" * 256, "x" * 257, "😀" * 256, "x" * 1025, "null", "1",
        "USD", "usd", "US", "USDX", "USD\n", "EUR", "purchase", "login", "Purchase", "sign_up ",
        0, -1, 1, 1.0, 0.5, -0.0, 1e-9, 1e308, 10**30, 10**400, 1_000_000, 1_000_001, 999_999.5,
        946_684_800_000, 946_684_799_999, 4_102_444_799_999, 4_102_444_800_000, 1.7e12,
        1.7e12 + 0.5,
        "2024-02-29T23:59:59Z", "2024-01-01T00:00:00", "2024-01-01 00:00:00+0100", "2024-01-01",
        "2024-01-01T00:00:00.123456789-23:59", "2024-01-01T00:00:00+24:00", "2024-13-01T00:00:00Z",
        "1999-12-31T23:59:59Z", "2000-01-01t00:00:00z", "2100-01-01T00:00:00Z",
        "2024-01-01T00:00:60Z",
        "2024-01-01T00:00:00Z\n", "2024-01-01T00:00Z", "1700000000000",
        [], {}, [{}], [None], [[]], [{}] * 1000, [{}] * 1001, [{"price": -1}], [{"quantity": 2.5}],
        [{"item_id": "a\x00"}], [{"price": None, "quantity": 3.0, "x": []}], [{"price": "1"}],
    ]
)  # fmt: skip


@cache
def schema(name: str) -> dict[str, Any]:
    """The schema schemas/`name`.json."""
    loaded: dict[str, Any] = json.loads((SCHEMAS / f"{name}.json").read_text())
    return loaded


@cache
def validator(name: str) -> Draft202012Validator:
    """Its validator."""
    return Draft202012Validator(schema(name))


def resolved(part: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    """`part` with what its `$ref` names taken in, all the way down."""
    part = copy.deepcopy(part)
    if "$ref" in part:
        part = resolved(root["$defs"][part.pop("$ref").rsplit("/", 1)[1]], root) | part
    for key, inner in part.items():
        if isinstance(inner, dict):
            part[key] = resolved(inner, root)
        if key in ("anyOf", "allOf", "oneOf", "prefixItems"):
            part[key] = [resolved(choice, root) for choice in inner]
    return part


@cache
def whole(name: str) -> dict[str, Any]:
    """The schema without references."""
    return resolved(schema(name), schema(name))


@cache
def documents(name: str) -> st.SearchStrategy[Any]:
    """Documents that schema `name` accepts, with and without optional and unknown fields."""
    return _values(whole(name)).filter(validator(name).is_valid)


def mutants(name: str, valid: st.SearchStrategy[Any] | None = None) -> st.SearchStrategy[Any]:
    """Valid documents of which one or two fields were dropped, replaced, or are another's.

    The valid ones are made from the schema unless given.
    """

    @st.composite
    def build(draw: st.DrawFn) -> Any:
        document = draw(documents(name) if valid is None else valid)
        for _ in range(draw(st.integers(1, 2))):
            place = draw(st.sampled_from(list(_places(document))))
            known = {field for part in _choices(whole(name)) for field in part["properties"]}
            field = draw(st.sampled_from(sorted({*place, *known})))
            if draw(st.booleans()):
                # A copy: the next change may be made within it.
                place[field] = copy.deepcopy(draw(EDGES | JSON))
            else:
                place.pop(field, None)
        return document

    return build() | JSON


def _places(document: Any) -> Iterator[dict[str, Any]]:
    """The document and every object in it."""
    if isinstance(document, dict):
        yield document
        document = list(document.values())
    if isinstance(document, list):
        for inner in document:
            yield from _places(inner)


def _choices(part: dict[str, Any]) -> list[dict[str, Any]]:
    """What an object may be: itself, or one of the kinds that it comes in."""
    choices: list[dict[str, Any]] = part.get("oneOf", [part])
    return choices


def _objects(part: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    required = part.get("required", [])
    fields = {name: _values(inner) for name, inner in part["properties"].items()}
    unknown = st.dictionaries(
        st.text(max_size=5).filter(lambda key: key not in fields), JSON, max_size=1
    )
    known = st.fixed_dictionaries(
        {name: fields[name] for name in required},
        optional={name: values for name, values in fields.items() if name not in required},
    )
    return st.builds(lambda extra, own: extra | own, unknown, known)


def _values(part: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values of a field; what holds objects is built here, the rest by the library."""
    if "oneOf" in part:
        return st.one_of([_values(choice) for choice in part["oneOf"]])
    if "properties" in part:
        return _objects(part)
    inner, more = part.get("items") or {}, part.get("additionalProperties") or {}
    if "properties" in inner:
        return st.none() | st.lists(_objects(inner), max_size=4)
    if "properties" in more:
        return st.dictionaries(_values(part["propertyNames"]), _objects(more), max_size=3)
    return from_schema(
        {key: rule for key, rule in part.items() if key not in ("examples", "title")}
    )
