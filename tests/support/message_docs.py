"""The generated parts of docs/messages.md; run as a module to write them anew."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from support.schemas import schema, whole

PAGE = Path(__file__).parents[2] / "docs" / "messages.md"
MESSAGES = ("clicks", "purchases", "tags", "tag-state", "dead-letters", "training", "model")
#: A list in indented JSON that holds no lists and no objects.
_LIST = re.compile(r"\[\s+([^\[\]{}]+?)\s+\]")


def rendered(page: str) -> str:
    """The page with the tables and examples that schemas/*.json give now."""
    for name in MESSAGES:
        pattern = rf"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)"
        part = f"{_tables(name)}\n\n{_examples(name)}"
        page = re.sub(pattern, lambda m, part=part: f"{m[1]}{part}\n{m[2]}", page, flags=re.S)
    return page


def fields(name: str) -> list[str]:
    """Every field of a message, by path."""
    own = [path for path, _, _ in _walk(whole(name))]
    return own + [path for choice, at in _choices(name) for path, _, _ in _walk(choice, at)]


def _tables(name: str) -> str:
    """A table of the message, and one for each kind that it, or a part of it, comes in."""
    tables = [_table(whole(name))] if "properties" in whole(name) else []
    for choice, prefix in _choices(name):
        kind = choice["properties"]["kind"]["const"]
        tables.append(f"`{prefix}kind` `{kind}`: {choice['description']}")
        tables.append(_table(choice, prefix))
    return "\n\n".join(tables)


def _choices(name: str) -> list[tuple[dict[str, Any], str]]:
    """The kinds that the message and its fields come in, each with the prefix of its fields."""
    parts = [("", whole(name)), *((f"{path}.", part) for path, part, _ in _walk(whole(name)))]
    return [(choice, prefix) for prefix, part in parts for choice in part.get("oneOf", [])]


def _table(part: dict[str, Any], prefix: str = "") -> str:
    rows = [
        f"| `{path}` | {_kind(part)} | {'yes' if required else ''} | {part['description']} |"
        for path, part, required in _walk(part, prefix)
    ]
    return "\n".join(["| field | value | required | means |", "|---|---|---|---|", *rows])


def _walk(part: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, dict[str, Any], bool]]:
    for field, inner in part.get("properties", {}).items():
        path = f"{prefix}{field}"
        yield path, inner, field in part.get("required", [])
        yield from _walk(inner, f"{path}.")
        yield from _walk(inner.get("items", {}), f"{path}[].")
        yield from _walk(inner.get("additionalProperties") or {}, f"{path}.NAME.")


def _kind(part: dict[str, Any]) -> str:
    if "title" in part:
        return str(part["title"])
    if "enum" in part:
        return ", ".join(f"`{value}`" for value in part["enum"])
    if "const" in part:
        return f"`{json.dumps(part['const'])}`"
    if "anyOf" in part:
        kinds = [choice.get("title") or _kind(choice) for choice in part["anyOf"]]
        return " or ".join(dict.fromkeys(kinds))
    types = part["type"] if isinstance(part["type"], list) else [part["type"]]
    return " or ".join(_typed(kind, part) for kind in types)


def _typed(kind: str, part: dict[str, Any]) -> str:
    if kind == "string":
        low, high = part.get("minLength", 0), part.get("maxLength")
        if part.get("pattern") == "^[A-Z]{3}$":
            return "three capital letters"
        if part.get("pattern") == "^[0-9]+$":
            return "digits"
        if str(part.get("pattern")).startswith("^[0-9]{4}-"):
            return "RFC 3339 in UTC"
        return f"text, {low} to {high}" if high else "text"
    if kind in ("number", "integer"):
        low, high = part.get("minimum"), part.get("maximum")
        if high == 2**53 - 1:
            high = None
        limits = f" {low} to {high}" if high is not None else f" from {low}" * (low is not None)
        return f"{'whole ' * (kind == 'integer')}number{limits}"
    if kind == "array":
        items = part["items"]
        return f"list of {'objects' if 'properties' in items else _kind(items)}"
    return kind


def _examples(name: str) -> str:
    blocks = [
        _LIST.sub(_in_a_line, json.dumps(example, indent=2, ensure_ascii=False))
        for example in schema(name)["examples"]
    ]
    return "\n\n".join(f"```json\n{block}\n```" for block in blocks)


def _in_a_line(found: re.Match[str]) -> str:
    return f"[{' '.join(found[1].split())}]"


if __name__ == "__main__":
    PAGE.write_text(rendered(PAGE.read_text()))
