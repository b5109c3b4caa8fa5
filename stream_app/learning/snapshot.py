"""A model as the trainer publishes and workers load it. See schemas/model.json.

Canonical JSON: names sorted, no spaces, numbers as short as they read back the same. Equal models
have equal bytes, and the checksum is that of the content, however it was written.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct, field

from stream_app.learning.reading import parsed, typed
from stream_app.learning.scorers import (
    Centroids,
    HalfSpaceTrees,
    Logistic,
    Names,
    Quantiles,
    Scorer,
)
from stream_app.learning.training import At, ColumnsId, Count, Name, columns_id
from stream_app.learning.transform import MISSING

__all__ = [
    "MAX_BYTES",
    "Centroids",
    "HalfSpaceTrees",
    "Logistic",
    "Model",
    "Quantiles",
    "Scorer",
    "SnapshotError",
    "Trained",
    "checksum",
    "current_key",
    "decode",
    "encode",
    "key",
]

MAX_BYTES: Final = 512 * 1024

Kind = Literal["classifier", "segments", "anomaly", "population"]
State = Literal["warming", "no data", "unreachable", "paused", "live", "held"]
Version = Annotated[int, Meta(ge=1, le=2**53 - 1)]
Fault = Literal["malformed", "schema", "checksum", "columns", "arrays"]

#: What each kind of model scores with.
_SCORERS: Final[Mapping[Kind, type[Scorer]]] = {
    "classifier": Logistic,
    "segments": Centroids,
    "anomaly": HalfSpaceTrees,
    "population": Quantiles,
}
_REMEDY: Final[Mapping[Fault, str]] = {
    "malformed": "no version of stream_app wrote this: see what else writes to the topic",
    "schema": "trainer and worker may be of different versions: update the older one",
    "checksum": "it was damaged or edited: keep the version before or let the trainer publish anew",
    "columns": "keep the version before or let the trainer publish anew",
    "arrays": "keep the version before or let the trainer publish anew",
}


class SnapshotError(ValueError):
    """A snapshot that cannot be used: `str()` says what is wrong and what to do about it.

    `fault` is `malformed` (no JSON object), `schema`, `checksum`, `columns` (not those of the
    fingerprint) or `arrays` (lengths and orders that contradict one another).
    """

    def __init__(self, fault: Fault, message: str) -> None:
        super().__init__(fault, message)
        self.fault: Final = fault
        self.message: Final = message

    def __str__(self) -> str:
        return f"{self.message}; {_REMEDY[self.fault]}"


class Trained(Struct, frozen=True, gc=False, kw_only=True):
    """The examples that were learned: from the first day end to the last, and how many."""

    from_: At = field(name="from")
    to: At
    examples: Count
    positives: Count


class Model(Struct, frozen=True, gc=False, kw_only=True):
    """A version of a task's model; `parent` is the version that it went on from.

    `columns` are the features in the order of a vector; `created_at` is the event time (ms) of the
    last example learned. `thresholds` cut the score into the tag's values.
    """

    kind: Kind
    task: Name
    version: Version
    parent: Version | None
    columns: Names
    columns_id: ColumnsId
    created_at: At
    trained: Trained
    metrics: dict[Name, float | None]
    scorer: Scorer
    state: State
    thresholds: list[float]


_ENCODER: Final = msgspec.json.Encoder(order="sorted")
_CHECKSUM: Final = re.compile("[0-9a-f]{64}")


def key(task: str, version: int) -> bytes:
    """The record key of a version of a task's model: `task:version`."""
    return f"{task}:{version}".encode()


def current_key(task: str) -> bytes:
    """The record key of what says which version of a task is in use: `task:current`."""
    return f"{task}:current".encode()


def checksum(content: Mapping[str, Any]) -> str:
    """BLAKE2b (256 bits, hexadecimal) over the canonical JSON of all fields but the checksum."""
    rest = {name: value for name, value in content.items() if name != "checksum"}
    return blake2b(_ENCODER.encode(rest), digest_size=32).hexdigest()


def encode(model: Model) -> bytes:
    """Canonical JSON in UTF-8 with its checksum.

    SnapshotError (a ValueError) for what `decode` would refuse; ValueError above MAX_BYTES, and for
    NaN and infinity, which JSON does not have.
    """
    tree = _finite(msgspec.to_builtins(model), "model")
    # Typed, a whole number in a list of floats is written as a float whatever it was.
    content = msgspec.to_builtins(_checked(tree))
    value = _ENCODER.encode(content | {"checksum": checksum(content)})
    if len(value) > MAX_BYTES:
        raise ValueError(f"{model.task} {model.version}: {len(value)} bytes, above {MAX_BYTES}")
    return value


def decode(value: bytes) -> Model:
    """The inverse of `encode`; SnapshotError for whatever cannot be used."""
    try:
        content = parsed(value)
        found = checksum(content) if isinstance(content, dict) else ""
    except (ValueError, OverflowError) as error:
        raise SnapshotError("malformed", str(error)) from None
    if not found:
        raise SnapshotError("malformed", f"expected an object, got {type(content).__name__}")
    stated = content.get("checksum")
    if not (isinstance(stated, str) and _CHECKSUM.fullmatch(stated)):
        raise SnapshotError("schema", "checksum: missing, or not 64 hexadecimal digits")
    if stated != found:
        raise SnapshotError("checksum", f"checksum: states {stated}, but content has {found}")
    return _checked(content)


def _checked(tree: Any) -> Model:
    try:
        model: Model = typed(tree, Model)
    except ValueError as error:
        raise SnapshotError("schema", str(error)) from None
    if not isinstance(model.scorer, _SCORERS[model.kind]):
        found = type(model.scorer).__name__
        raise SnapshotError("schema", f"scorer: {model.kind} does not score with {found}")
    if model.columns_id != columns_id(model.columns):
        own = columns_id(model.columns)
        raise SnapshotError("columns", f"columns_id: {model.columns_id}, but columns have {own}")
    for fault in _contradictions(model):
        raise SnapshotError("arrays", fault)
    return model


def _contradictions(model: Model) -> Iterator[str]:
    if len(set(model.columns)) < len(model.columns):
        yield "columns: a name comes twice"
    if model.parent is not None and model.parent >= model.version:
        yield f"parent: {model.parent} is not before version {model.version}"
    field = "by_column" if isinstance(model.scorer, Quantiles) else "names"
    for name in getattr(model.scorer, field):
        if name.removesuffix(MISSING) not in model.columns:
            yield f"scorer.{field}: {name} is none of the columns"
    yield from (f"scorer.{fault}" for fault in model.scorer.faults())


def _finite(tree: Any, path: str) -> Any:
    """`tree` with 0.0 for -0.0, which equals it; ValueError names what is not finite."""
    if isinstance(tree, float):
        if not math.isfinite(tree):
            raise ValueError(f"{path}: {tree} is not a finite number")
        return tree + 0.0
    if isinstance(tree, list | tuple):
        return [_finite(item, f"{path}[{i}]") for i, item in enumerate(tree)]
    if isinstance(tree, dict):
        return {name: _finite(item, f"{path}.{name}") for name, item in tree.items()}
    return tree
