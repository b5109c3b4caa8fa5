"""The generated parts of the Helm chart; run as a module to write them anew.

The program's settings go into values.schema.json, so that a misspelt one is refused by Helm; the
schema's descriptions and the defaults of values.yaml make the table of the chart's README.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from stream_app.settings import Settings

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm" / "stream-app"
SCHEMA, VALUES, README = CHART / "values.schema.json", CHART / "values.yaml", CHART / "README.md"
#: Settings that the chart itself gives, from other values; broker_dir is the embedded Kafka's.
BY_CHART = frozenset(
    {
        "bootstrap_servers", "security_protocol", "sasl_mechanism", "sasl_username",
        "sasl_password", "sasl_password_file", "oauth_token_file", "oauth_token_url",
        "oauth_scope", "ssl_cafile", "ssl_certfile", "ssl_keyfile", "ssl_key_password",
        "ssl_key_password_file", "broker_dir", "instance_id", "catalog", "http_host",
        "http_port", "http_token", "http_token_file", "http_certfile", "http_keyfile",
        "traces", "state_dir",
    }
)  # fmt: skip
_KEPT = ("description", "type", "enum", "pattern", "minLength", "minimum", "maximum",
         "exclusiveMinimum")  # fmt: skip
_BEGIN, _END = "<!-- begin values -->\n", "<!-- end values -->"


def with_settings(schema: str) -> str:
    """The schema with the program's settings as they are now. Raises ValueError for a secret."""
    parsed = json.loads(schema)
    parsed["properties"]["settings"]["properties"] = dict(_settings())
    return _json(parsed)


def rendered(readme: str) -> str:
    """The README with the table of values as schema and values.yaml are now."""
    before, _, rest = readme.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    rows = ["| value | default | means |", "|---|---|---|"]
    for path, part, default in leaves(values(), schema()):
        text = part["description"]
        if "enum" in part:
            text += f" One of {', '.join(f'`{choice}`' for choice in part['enum'])}."
        rows.append(f"| `{path}` | {_default(default)} | {text} |")
    return f"{before}{_BEGIN}{chr(10).join(rows)}\n{_END}{after}"


def schema() -> dict[str, Any]:
    """The schema of the values."""
    parsed: dict[str, Any] = json.loads(SCHEMA.read_text())
    return parsed


def values() -> dict[str, Any]:
    """The values without any of a user's."""
    parsed: dict[str, Any] = yaml.safe_load(VALUES.read_text())
    return parsed


def leaves(
    given: Any, part: dict[str, Any], path: str = ""
) -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Yield path, schema and default of each value that is no group; None stands for no default."""
    for name, inner in part["properties"].items():
        here = f"{path}.{name}" if path else name
        default = (given or {}).get(name)
        if "properties" in inner:
            yield from leaves(default, inner, here)
        elif here != "global":
            yield here, inner, default


def _settings() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, field in Settings.model_json_schema()["properties"].items():
        if name in BY_CHART:
            continue
        # What may be None in the program is left out in the values.
        kinds = [kind for kind in field.get("anyOf", [field]) if kind.get("type") != "null"]
        if any(kind.get("format") == "password" for kind in kinds):
            raise ValueError(f"{name} is a secret: give it by reference, not in `settings`")
        merged = field | kinds[0]
        yield name, {key: merged[key] for key in _KEPT if key in merged}


def _default(value: Any) -> str:
    if value is None or value == "":
        return ""
    text = value if isinstance(value, str) else json.dumps(value)
    return f"`{text}`"


def _json(value: Any, indent: str = "") -> str:
    """JSON in which an object that fits on a line, or describes one value, is on one line."""
    flat = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict) or not any(isinstance(v, dict) for v in value.values()):
        return flat
    if len(flat) < 100 and "properties" not in value:
        return flat
    inner = indent + "  "
    lines = [f"{inner}{json.dumps(key)}: {_json(item, inner)}" for key, item in value.items()]
    return "{\n" + ",\n".join(lines) + f"\n{indent}}}"


if __name__ == "__main__":
    SCHEMA.write_text(with_settings(SCHEMA.read_text()) + "\n")
    README.write_text(rendered(README.read_text()))
