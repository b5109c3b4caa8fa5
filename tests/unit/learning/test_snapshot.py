"""Snapshots: the same bytes for the same model, and nothing loaded that cannot be used."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.schemas import mutants, schema, validator

from stream_app.domain.clock import LATEST
from stream_app.learning.scorers import (
    Centroids,
    Change,
    HalfSpaceTrees,
    Logistic,
    Quantiles,
    Scorer,
    Twin,
)
from stream_app.learning.snapshot import (
    MAX_BYTES,
    Model,
    SnapshotError,
    Trained,
    checksum,
    current_key,
    decode,
    encode,
    key,
)
from stream_app.learning.training import columns_id

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
POSITIVE = st.floats(0, exclude_min=True, allow_infinity=False)
COUNTS = st.integers(0, 2**53 - 1)
MOMENTS = st.integers(0, LATEST)
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="?"), min_size=1, max_size=9)

CHANGES = st.builds(
    Change,
    fate=st.sampled_from(["survived", "split", "merged", "born", "died"]),
    before=st.lists(NAMES, max_size=2),
    after=st.lists(NAMES, max_size=2),
)
TWINS = st.builds(Twin, feature=NAMES, like=NAMES, correlation=st.floats(-1, 1))


def some(draw: st.DrawFn, values: st.SearchStrategy[Any], size: int) -> list[Any]:
    return draw(st.lists(values, min_size=size, max_size=size))


def logistic(draw: st.DrawFn, columns: list[str]) -> Logistic:
    names = columns + [f"{name}?" for name in columns]
    floats = [some(draw, FLOATS, len(names)) for _ in range(3)]
    return Logistic(
        names=names,
        mean=floats[0],
        scale=some(draw, POSITIVE, len(names)),
        weights=floats[1],
        intercept=draw(FLOATS),
        platt=draw(st.none() | st.tuples(FLOATS, FLOATS)),
        reference=floats[2],
    )


def trees(draw: st.DrawFn, columns: list[str]) -> HalfSpaceTrees:
    count, inner = draw(st.integers(1, 3)), draw(st.sampled_from([0, 1, 3, 7]))
    index = st.integers(0, len(columns) - 1)
    low = some(draw, st.floats(-9, 9), len(columns))
    return HalfSpaceTrees(
        names=columns,
        low=low,
        high=[value + 1 for value in low],
        window=draw(st.integers(1, 999)),
        feature=[some(draw, index, inner) for _ in range(count)],
        threshold=[some(draw, FLOATS, inner) for _ in range(count)],
        mass=[some(draw, COUNTS, 2 * inner + 1) for _ in range(count)],
        median=some(draw, FLOATS, len(columns)),
        spread=some(draw, POSITIVE, len(columns)),
    )


def centroids(draw: st.DrawFn, columns: list[str]) -> Centroids:
    ids = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    return Centroids(
        ids=ids,
        names=columns,
        centre=[some(draw, FLOATS, len(columns)) for _ in ids],
        median=some(draw, FLOATS, len(columns)),
        spread=some(draw, POSITIVE, len(columns)),
        bound=draw(st.floats(0, 99)),
        sizes=some(draw, COUNTS, len(ids)),
        margin=draw(st.floats(0, 9)),
        labels=some(draw, NAMES, len(ids)),
        since=some(draw, MOMENTS, len(ids)),
        shares=draw(st.none() | st.lists(st.floats(0, 1), min_size=len(ids), max_size=len(ids))),
        transitions=draw(st.lists(CHANGES, max_size=2)),
        dropped=draw(st.lists(TWINS, max_size=2)),
        issued=draw(COUNTS),
        fits=draw(COUNTS),
        challenger=draw(st.none() | COUNTS),
    )


def quantiles(draw: st.DrawFn, columns: list[str]) -> Quantiles:
    values = [sorted(draw(st.lists(FLOATS, max_size=3))) for _ in columns]
    return Quantiles(
        by_column={
            name: list(zip((0.1, 0.5, 0.9), own, strict=False))
            for name, own in zip(columns, values, strict=True)
        }
    )


SCORERS: dict[str, Callable[[st.DrawFn, list[str]], Scorer]] = {
    "classifier": logistic,
    "segments": centroids,
    "anomaly": trees,
    "population": quantiles,
}


@st.composite
def models(draw: st.DrawFn) -> Model:
    kind: Any = draw(st.sampled_from(sorted(SCORERS)))
    columns = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    version = draw(st.integers(2, 2**53 - 1))
    return Model(
        kind=kind,
        task=draw(NAMES),
        version=version,
        parent=draw(st.none() | st.integers(1, version - 1)),
        columns=columns,
        columns_id=columns_id(columns),
        created_at=draw(MOMENTS),
        trained=draw(
            st.builds(Trained, from_=MOMENTS, to=MOMENTS, examples=COUNTS, positives=COUNTS)
        ),
        metrics=draw(st.dictionaries(NAMES, st.none() | FLOATS, max_size=3)),
        scorer=SCORERS[kind](draw, columns),
        state=draw(st.sampled_from(schema("model")["properties"]["state"]["enum"])),
        thresholds=draw(st.lists(FLOATS, max_size=3)),
    )


CLASSIFIER, SEGMENTS = schema("model")["examples"]
ANOMALY = CLASSIFIER | {
    "kind": "anomaly",
    "scorer": {
        "kind": "trees",
        "names": ["orders_30d", "orders_30d?"],
        "low": [0.0, 0.0],
        "high": [1.0, 1.0],
        "window": 250,
        "feature": [[0, 1, 0]],
        "threshold": [[0.5, 0.5, 0.25]],
        "mass": [[250, 200, 50, 150, 50, 25, 25]],
        "median": [0.7, 0.0],
        "spread": [0.6, 1.0],
    },
}
POPULATION = CLASSIFIER | {
    "kind": "population",
    "scorer": {"kind": "quantiles", "by_column": {"orders_30d": [[0.1, 0.0], [0.5, 2.0]]}},
}
BASES = {"classifier": CLASSIFIER, "segments": SEGMENTS} | {
    "anomaly": ANOMALY,
    "population": POPULATION,
}


def sealed(document: Any) -> bytes:
    """The document with the checksum of its content, where it states any."""
    if isinstance(document, dict) and re.fullmatch("[0-9a-f]{64}", str(document.get("checksum"))):
        content = msgspec.json.decode(json.dumps(document))
        document = document | {"checksum": checksum(content)}
    return json.dumps(document).encode()


def refusal(value: bytes) -> SnapshotError | None:
    try:
        decode(value)
    except SnapshotError as error:
        return error
    return None


def fault_of(value: bytes) -> str | None:
    error = refusal(value)
    return error.fault if error else None


def example() -> Model:
    return decode(json.dumps(CLASSIFIER).encode())


class TestRoundTrip:
    @settings(max_examples=40)
    @given(models())
    def test_models_are_valid_and_read_back(self, model: Model) -> None:
        value = encode(model)
        validator("model").validate(json.loads(value))
        assert decode(value) == model

    @settings(max_examples=40)
    @given(models(), st.randoms(use_true_random=False))
    def test_equal_models_have_equal_bytes(self, model: Model, random: Any) -> None:
        """Neither the order of a dict nor the type of a whole number nor a zero's sign matters."""

        def otherwise(tree: Any) -> Any:
            if isinstance(tree, dict):
                names = list(tree)
                random.shuffle(names)
                return {name: otherwise(tree[name]) for name in names}
            if isinstance(tree, list | tuple):
                return [otherwise(item) for item in tree]
            if tree == 0 and isinstance(tree, float):
                return -tree
            return tree

        twin = msgspec.convert(otherwise(msgspec.to_builtins(model)), Model)
        assert twin == model
        assert encode(twin) == encode(model)

    def test_whole_numbers_are_written_as_floats(self) -> None:
        model = example()
        whole = msgspec.structs.replace(model, thresholds=[1, 2])
        assert encode(whole) == encode(msgspec.structs.replace(model, thresholds=[1.0, 2.0]))

    def test_the_form_is_canonical(self) -> None:
        text = encode(example()).decode()
        assert text.startswith('{"checksum":"4fd09d8e6376a7f5b92c135e478856d0e3917b93265962c708e9')
        assert json.loads(text) == CLASSIFIER
        assert text == json.dumps(CLASSIFIER, sort_keys=True, separators=(",", ":"))

    @pytest.mark.parametrize("base", BASES.values(), ids=BASES)
    def test_examples_of_every_kind_are_read(self, base: dict[str, Any]) -> None:
        validator("model").validate(base)
        assert json.loads(encode(decode(sealed(base)))) == json.loads(sealed(base))

    def test_fields_that_are_not_known_are_ignored_but_covered_by_the_checksum(self) -> None:
        newer = CLASSIFIER | {"remark": "new"}
        assert decode(sealed(newer)) == example()
        assert fault_of(json.dumps(newer).encode()) == "checksum"


class TestChecksum:
    @settings(max_examples=70)
    @given(models(), st.data())
    def test_a_flipped_byte_is_found(self, model: Model, data: st.DataObject) -> None:
        value = encode(model)
        at, flip = data.draw(st.integers(0, len(value) - 1)), data.draw(st.integers(1, 255))
        damaged = value[:at] + bytes([value[at] ^ flip]) + value[at + 1 :]
        # The same number may be written in two ways (1e9, 1E9): then nothing is damaged.
        if refusal(damaged) is None:
            assert decode(damaged) == model
            assert msgspec.json.decode(damaged) == msgspec.json.decode(value)

    def test_every_digit_and_letter_counts(self) -> None:
        """Each character of a whole snapshot in turn, replaced by another of its sort."""
        value = encode(example())
        others = {b: b"1"[0] if b != b"1"[0] else b"2"[0] for b in b"0123456789"}
        for at, byte in enumerate(value):
            other = others.get(byte, b"x"[0] if byte != b"x"[0] else b"y"[0])
            damaged = value[:at] + bytes([other]) + value[at + 1 :]
            assert fault_of(damaged) in ("checksum", "malformed", "schema"), damaged

    def test_it_says_what_to_do(self) -> None:
        error = refusal(json.dumps(CLASSIFIER | {"version": 5}).encode())
        assert str(error).startswith("checksum: states 4fd09d8e")
        assert "keep the version before" in str(error)


class TestSchema:
    """Decoder and schema accept and refuse the same documents."""

    def agree(self, document: Any) -> None:
        value = sealed(document)
        refused = fault_of(value) in ("malformed", "schema")
        assert refused != validator("model").is_valid(json.loads(value)), refusal(value)

    @settings(max_examples=70)
    @given(mutants("model", models().map(encode).map(json.loads)))
    def test_mutated_documents(self, document: Any) -> None:
        self.agree(document)

    @pytest.mark.parametrize("base", BASES.values(), ids=BASES)
    def test_each_field_at_its_edge(self, base: dict[str, Any]) -> None:
        edges: list[Any] = [None, True, "", "a", "x" * 256, "x" * 257, 0, 1, -1, 0.5, 1.0, -0.0]
        edges += [LATEST, LATEST + 1, 2**53 - 1, 2**53, 1e308, -1e308, [], {}, ["a"], [""]]
        edges += [[0], [1], [-1], [0.5], [None], [1, 2], [1, 2, 3], [[]], [[0]], [[0.5]], [[1, 2]]]
        edges += [{"a": None}, {"a": 1}, {"a": []}, {"a": [[0.5, 1]]}, {"a": [[1.5, 1]]}]
        edges += [{"a": [[0.5]]}, {"a": [[0.5, 1, 1]]}, {"": 1}, {"": []}, "live", "anomaly"]
        edges += ["0" * 16, "0" * 16 + "\n", "0" * 64, "0" * 64 + "\n", "logistic", *SCORERS]
        for part in ((), ("scorer",), ("trained",)):
            for field in base[part[0]] if part else base:
                for edge in edges:
                    self.agree(changed(base, (*part, field), edge))
                self.agree(changed(base, (*part, field)))

    def test_it_names_the_field_and_what_to_do(self) -> None:
        error = refusal(sealed(changed(CLASSIFIER, ("scorer", "scale"), [1.0, 0.0])))
        assert "`$.scorer.scale[1]`" in str(error)
        assert "update the older one" in str(error)


def changed(document: dict[str, Any], path: tuple[str, ...], *value: Any) -> dict[str, Any]:
    """The document with another value at a path of names, or without it."""
    name, *rest = path
    if rest:
        return document | {name: changed(document[name], tuple(rest), *value)}
    return {k: v for k, v in document.items() if k != name} | ({name: value[0]} if value else {})


#: kind of model, path, value, fault, what it says
REFUSED: list[tuple[str, tuple[str, ...], Any, str, str]] = [
    ("classifier", ("columns_id",), "0" * 16, "columns", "columns_id: 0000000000000000, but"),
    ("classifier", ("columns",), ["other"], "columns", "columns_id: 2794e71b51bf7268, but"),
    ("classifier", ("parent",), 4, "arrays", "parent: 4 is not before version 4"),
    ("classifier", ("scorer", "mean"), [1.0], "arrays", "scorer.mean: 1 entries for 2 names"),
    ("classifier", ("scorer", "names"), ["orders_30d", "other"], "arrays", "other is none of the"),
    ("population", ("scorer", "by_column"), {"other": []}, "arrays", "other is none of the col"),
    ("anomaly", ("scorer", "feature"), [[0, 2, 0]], "arrays", "an index beyond the 2 names"),
    ("segments", ("scorer", "ids"), ["s1", "s1"], "arrays", "scorer.ids: a name comes twice"),
    ("segments", ("scorer",), CLASSIFIER["scorer"], "schema", "segments does not score with Log"),
    ("classifier", ("checksum",), None, "schema", "checksum: missing, or not 64"),
]


@pytest.mark.parametrize(("kind", "path", "value", "fault", "message"), REFUSED)
def test_contradictions_are_refused(
    kind: str, path: tuple[str, ...], value: Any, fault: str, message: str
) -> None:
    error = refusal(sealed(changed(BASES[kind], path, value)))
    assert error is not None
    assert (error.fault, message in error.message) == (fault, True), error


def test_columns_that_come_twice_are_refused() -> None:
    twice = ["orders_30d", "orders_30d"]
    document = CLASSIFIER | {"columns": twice, "columns_id": columns_id(twice)}
    assert "columns: a name comes twice" in str(refusal(sealed(document)))


@pytest.mark.parametrize(
    "value",
    [b"", b"[]", b"null", b"1", b"\xff", b"[" * 100_000, b'{"x":' * 100_000, b'{"x":1}x',
     b'{"x":"\\ud800"}'],
)  # fmt: skip
def test_what_is_no_object_is_malformed(value: bytes) -> None:
    assert fault_of(value) == "malformed"


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_are_not_finite_are_refused(number: str) -> None:
    value = sealed(CLASSIFIER).replace(b"-1.84", number.encode())
    assert fault_of(value) == "malformed"


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_are_not_written(number: float) -> None:
    model = example()
    scorer = msgspec.structs.replace(model.scorer, weights=[1.0, number])
    with pytest.raises(ValueError, match=r"model\.scorer\.weights\[1\]: .* not a finite number"):
        encode(msgspec.structs.replace(model, scorer=scorer))
    with pytest.raises(ValueError, match=r"model\.metrics\.auc"):
        encode(msgspec.structs.replace(model, metrics={"auc": number}))


def test_what_could_not_be_read_is_not_written() -> None:
    with pytest.raises(SnapshotError, match=r"scorer\.mean: 0 entries for 2 names"):
        encode(
            msgspec.structs.replace(
                example(), scorer=msgspec.structs.replace(example().scorer, mean=[])
            )
        )


def test_the_size_is_bounded() -> None:
    def of_length(more: int) -> Model:
        return msgspec.structs.replace(example(), thresholds=[0.5] * more)

    room = (MAX_BYTES - len(encode(of_length(1)))) // len(",0.5")
    assert MAX_BYTES - 4 < len(encode(of_length(1 + room))) <= MAX_BYTES
    with pytest.raises(ValueError, match=f"likely_to_buy 4: 5242.. bytes, above {MAX_BYTES}"):
        encode(of_length(2 + room))


def test_keys() -> None:
    assert key("likely_to_buy", 4) == b"likely_to_buy:4"
    assert current_key("likely_to_buy") == b"likely_to_buy:current"


def names_of(struct: Any) -> list[str]:
    return [field.encode_name for field in msgspec.structs.fields(struct)]


def required_of(struct: Any) -> list[str]:
    return [field.encode_name for field in msgspec.structs.fields(struct) if field.required]


def test_schema_names_the_structs_fields_in_order() -> None:
    declared = schema("model")
    assert list(declared["properties"]) == declared["required"] == [*names_of(Model), "checksum"]
    trained = declared["properties"]["trained"]
    assert list(trained["properties"]) == trained["required"] == names_of(Trained)
    for struct in (Logistic, HalfSpaceTrees, Centroids, Quantiles):
        part = declared["$defs"][str(struct.__struct_config__.tag)]
        assert list(part["properties"]) == ["kind", *names_of(struct)]
        assert part["required"] == ["kind", *required_of(struct)]
    for struct in (Change, Twin):
        part = declared["$defs"][struct.__name__.lower()]
        assert list(part["properties"]) == part["required"] == names_of(struct)


def test_segments_of_earlier_versions_are_read() -> None:
    """They have neither labels nor what a later fit goes on from."""
    own = {name: SEGMENTS["scorer"][name] for name in ["kind", *required_of(Centroids)]}
    scorer = decode(sealed(SEGMENTS | {"scorer": own})).scorer
    assert isinstance(scorer, Centroids)
    assert (scorer.labels, scorer.since, scorer.shares, scorer.issued) == ([], [], None, 0)
