"""The generated parts of docs/messages.md; run as a module to write them anew."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from support.schemas import resolved, schema

PAGE = Path(__file__).parents[2] / "docs" / "messages.md"
MESSAGES = ("clicks", "purchases", "tags", "tag-state", "dead-letters")


def rendered(page: str) -> str:
    """The page with the tables and examples that schemas/*.json give now."""
    for name in MESSAGES:
        pattern = rf"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)"
        part = f"{_table(name)}\n\n{_examples(name)}"
        page = re.sub(pattern, lambda m, part=part: f"{m[1]}{part}\n{m[2]}", page, flags=re.S)
    return page


def fields(name: str) -> list[str]:
    """Every field of a message, by path."""
    return [path for path, _, _ in _walk(schema(name), name)]


def _table(name: str) -> str:
    rows = [
        f"| `{path}` | {_kind(part)} | {'yes' if required else ''} | {part['description']} |"
        for path, part, required in _walk(schema(name), name)
    ]
    return "\n".join(["| field | value | required | means |", "|---|---|---|---|", *rows])


def _walk(
    part: dict[str, Any], name: str, prefix: str = ""
) -> Iterator[tuple[str, dict[str, Any], bool]]:
    for field, declared in part.get("properties", {}).items():
        whole = resolved(declared, schema(name))
        path = f"{prefix}{field}"
        yield path, whole, field in part.get("required", [])
        yield from _walk(whole, name, f"{path}.")
        yield from _walk(whole.get("items", {}), name, f"{path}[].")
        more = whole.get("additionalProperties")
        yield from _walk(more or {}, name, f"{path}.NAME.")


def _kind(part: dict[str, Any]) -> str:
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
        limits = f" {low} to {high}" if high is not None else f" from {low}" * (low is not None)
        return f"{'whole ' * (kind == 'integer')}number{limits}"
    if kind == "array":
        items = part["items"]
        return f"list of {'objects' if 'properties' in items else _kind(items)}"
    return kind


def _examples(name: str) -> str:
    blocks = [
        json.dumps(example, indent=2, ensure_ascii=False) for example in schema(name)["examples"]
    ]
    return "\n\n".join(f"```json\n{block}\n```" for block in blocks)


if __name__ == "__main__":
    PAGE.write_text(rendered(PAGE.read_text()))
