"""JSON in, typed records out: ValueError whatever the bytes are, and nothing that is not finite."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


def parsed(value: bytes) -> Any:
    """The JSON as dicts, lists, texts and numbers; ValueError where it is none."""
    try:
        return msgspec.json.decode(value)
    except RecursionError:
        raise ValueError("nested too deep") from None


def typed(tree: Any, kind: Any) -> Any:
    """`tree` as a `kind`; ValueError says where it is not one."""
    try:
        return msgspec.convert(tree, kind)
    except msgspec.ValidationError:
        # JSON knows no whole numbers: to a schema 1.0 is an integer, to msgspec it is not.
        return msgspec.convert(_whole(tree), kind)


def read(value: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """The decoder's record; ValueError says where the bytes are none."""
    try:
        return decoder.decode(value)
    except msgspec.ValidationError:
        record: T = typed(parsed(value), decoder.type)
        return record
    except RecursionError:
        raise ValueError("nested too deep") from None


def _whole(tree: Any) -> Any:
    if isinstance(tree, float) and tree.is_integer():
        return int(tree)
    if isinstance(tree, list):
        return [_whole(item) for item in tree]
    if isinstance(tree, dict):
        return {name: _whole(item) for name, item in tree.items()}
    return tree
