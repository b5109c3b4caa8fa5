"""Makes Grafana's dashboards of dashboards.yml: for deploy/grafana/dashboards and for the chart."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

HERE: Final = Path(__file__).parent
SOURCE: Final = HERE / "dashboards.yml"
FOLDERS: Final = (
    HERE / "dashboards",
    HERE.parents[1] / "helm" / "stream-app" / "files" / "dashboards",
)
KINDS: Final = {"stat": "stat", "lines": "timeseries", "areas": "timeseries", "bars": "bargauge"}
HEIGHTS: Final = {"stat": 4, "lines": 8, "areas": 8, "bars": 8}
QUANTILES: Final = {"half": 0.5, "95 %": 0.95, "99 %": 0.99}
SOURCE_OF_DATA: Final = {"type": "prometheus", "uid": "${datasource}"}
#: Variables by name: the metric whose label of that name they offer.
VARIABLES: Final = {
    "partition": "stream_app_users{@}",
    "class": "stream_app_tag_class{@}",
    "tag": 'stream_app_tag_class{@,class=~"$class"}',
    "task": "stream_app_model_newest_version{@}",
}

Json = dict[str, Any]


def full(query: str) -> str:
    """A query with what `@p` and `@` stand for."""
    query = query.replace("@p", '@,partition=~"$partition"').replace("@", 'job="$job"')
    return " ".join(query.split())


def queries(panel: Mapping[str, Any]) -> dict[str, str]:
    """The queries of a panel by how their series are named."""
    if "quantiles" in panel:
        window, name = panel.get("window", "$__rate_interval"), panel["quantiles"]
        buckets = f"sum by (le) (rate({name}_bucket{{@}}[{window}]))"
        asked = {told: f"histogram_quantile({q}, {buckets})" for told, q in QUANTILES.items()}
    else:
        asked = panel.get("queries") or {panel.get("by", ""): panel["query"]}
    return {told: full(query) for told, query in asked.items()}


def thresholds(panel: Mapping[str, Any]) -> Json:
    """Colours from the least value up; one without thresholds is green."""
    warn, bad = panel.get("warn"), panel.get("bad")
    if warn is not None and bad is not None and bad < warn:
        steps = [("red", None), ("orange", bad), ("green", warn)]
    else:
        steps = [("green", None), ("orange", warn), ("red", bad)]
    kept = [s for number, s in enumerate(steps) if number == 0 or s[1] is not None]
    return {"mode": "absolute", "steps": [{"color": c, "value": v} for c, v in kept]}


def _drawn(kind: str, panel: Mapping[str, Any]) -> Json:
    """How the values of a panel look."""
    looks: Json = {"unit": panel["unit"], "thresholds": thresholds(panel)}
    if panel["unit"] == "percentunit":
        looks["decimals"] = 2
    if "empty" in panel:
        looks["noValue"] = panel["empty"]
    if kind in ("lines", "areas"):
        areas = kind == "areas"
        looks["custom"] = {
            "fillOpacity": 30 if areas else 0,
            "lineWidth": 1,
            "showPoints": "never",
            "stacking": {"mode": "normal" if areas else "none"},
            "thresholdsStyle": {"mode": "dashed" if "warn" in panel else "off"},
        }
        looks["color"] = {"mode": "palette-classic"}
    return looks


def _options(kind: str) -> Json:
    if kind in ("lines", "areas"):
        legend = {"displayMode": "list", "placement": "bottom", "showLegend": True}
        return {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}
    options: Json = {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}}
    return options | ({"orientation": "horizontal"} if kind == "bars" else {"graphMode": "area"})


def panel_of(number: int, panel: Mapping[str, Any], place: Json) -> Json:
    """One panel at a place of the grid."""
    (kind,) = set(KINDS) & set(panel)
    targets = [
        {
            "datasource": SOURCE_OF_DATA,
            "expr": query,
            "legendFormat": told or "__auto",
            "refId": chr(ord("A") + nth),
        }
        for nth, (told, query) in enumerate(queries(panel).items())
    ]
    return {
        "id": number,
        "type": KINDS[kind],
        "title": panel[kind],
        "description": panel["text"],
        "datasource": SOURCE_OF_DATA,
        "fieldConfig": {"defaults": _drawn(kind, panel), "overrides": []},
        "options": _options(kind),
        "targets": targets,
        "gridPos": place,
    }


def panels(rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> Iterator[Json]:
    """Rows below one another, the panels of each side by side."""
    number, top = 1, 0
    for title, row in rows.items():
        place = {"h": 1, "w": 24, "x": 0, "y": top}
        yield {"id": number, "type": "row", "title": title, "collapsed": False, "gridPos": place}
        number, top = number + 1, top + 1
        height = max(HEIGHTS[kind] for panel in row for kind in KINDS if kind in panel)
        widths = [panel.get("wide", 24 // len(row)) for panel in row]
        for nth, panel in enumerate(row):
            place = {"h": height, "w": widths[nth], "x": sum(widths[:nth]), "y": top}
            yield panel_of(number, panel, place)
            number += 1
        top += height


def variables(names: Sequence[str]) -> list[Json]:
    """What is chosen at the top: the data source, the application, and what `names` say."""
    source = {"name": "datasource", "label": "Data source", "type": "datasource"}
    source |= {"query": "prometheus"}
    job = _choice("job", "stream_app_build", several=False) | {"label": "Application"}
    return [source, job, *(_choice(name, VARIABLES[name], several=True) for name in names)]


def _choice(name: str, metric: str, *, several: bool) -> Json:
    query = f"label_values({full(metric)}, {name})"
    everything = {"text": "All", "value": "$__all"} if several else {}
    return {
        "name": name,
        "label": name.capitalize(),
        "type": "query",
        "datasource": SOURCE_OF_DATA,
        "definition": query,
        "query": {"query": query, "refId": "variable"},
        "refresh": 2,
        "sort": 3 if name == "partition" else 1,
        "multi": several,
        "includeAll": several,
        "current": everything,
    }


def dashboard(name: str, described: Mapping[str, Any]) -> Json:
    """Grafana's JSON of a described dashboard."""
    return {
        "uid": f"stream-app-{name}",
        "title": described["title"],
        "description": described["description"],
        "tags": ["stream_app"],
        "schemaVersion": 39,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": variables(described["variables"])},
        "links": [
            {"type": "dashboards", "title": "stream_app", "tags": ["stream_app"]}
            | {"asDropdown": True, "keepTime": True, "includeVars": False}
        ],
        "panels": list(panels(described["rows"])),
    }


def files() -> dict[str, str]:
    """The content of each dashboard's file, by its name."""
    described = yaml.safe_load(SOURCE.read_text())
    return {
        f"{name}.json": json.dumps(dashboard(name, what), indent=1, ensure_ascii=False) + "\n"
        for name, what in described.items()
    }


def asked(board: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Title, query and why it may be empty (or nothing) of each query of a dashboard's JSON."""
    for panel in board["panels"]:
        why = panel.get("fieldConfig", {}).get("defaults", {}).get("noValue", "")
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"], why
    for variable in board["templating"]["list"]:
        if found := re.fullmatch(r"label_values\((.*), \w+\)", variable.get("definition", "")):
            yield f"variable {variable['name']}", found[1], ""


def main() -> None:
    """Write them."""
    for folder in FOLDERS:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files().items():
            (folder / name).write_text(content)


if __name__ == "__main__":
    main()
