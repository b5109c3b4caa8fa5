"""The generated parts of docs/catalogue.md; run as a module to write them anew."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import yaml

from stream_app.engine import Catalogue, load_catalogue
from stream_app.engine.catalogue import ENGINE_FIELDS, ROW_BUDGET, row_bytes

PAGE = Path(__file__).parents[2] / "docs" / "catalogue.md"


def rendered(page: str) -> str:
    """The page with its generated parts as the code and the retail catalogue are now."""
    retail = load_catalogue("retail")
    for name, part in (("bytes", _bytes(retail)), ("retail", _retail(retail))):
        pattern = rf"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)"
        page = re.sub(pattern, lambda m, part=part: f"{m[1]}{part}\n{m[2]}", page, flags=re.S)
    return page


def _bytes(retail: Catalogue) -> str:
    costs: Counter[str] = Counter()
    shared: dict[str, str] = {}
    for field in retail.features.fields:
        costs[_part(field.name)] += field.size
        shared[_part(field.name)] = field.name
    costs["due, layout"] += 8 + sum(field.size for field in ENGINE_FIELDS)
    costs[f"state of {len(retail.tags.names)} tags"] += sum(f.size for f in retail.tags.fields)
    size = row_bytes(retail)
    if padding := size - sum(costs.values()):
        costs["padding"] = padding
    lines = [f"| `{part}` | {cost} |" for part, cost in costs.most_common()]
    total = f"| **all, of {ROW_BUDGET}** | **{size}** |"
    return "\n".join(["| part of the row | bytes |", "|---|---|", *lines, total])


def _part(field: str) -> str:
    """Fields of the header count together, as do several fields of one feature."""
    kind = field.partition(":")[0]
    if kind in ("ids", "ids_head"):
        return "remembered event ids"
    if kind in ("born", "first_seen", "last_seen", "version", "clock"):
        return "times, version, clocks"
    return re.sub(r":(weight|code|epoch|at|hash)$", "", field)


def _retail(retail: Catalogue) -> str:
    declared = yaml.safe_load(Path(retail.file).read_text())["tags"]
    lines = [
        f"| `{name}` | {tag['class']} | {' '.join(tag['description'].split())} |"
        for name, tag in declared.items()
    ]
    return "\n".join(["| tag | class | means |", "|---|---|---|", *lines])


if __name__ == "__main__":
    PAGE.write_text(rendered(PAGE.read_text()))
