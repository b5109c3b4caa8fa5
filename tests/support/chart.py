"""helm, and what judges its output; `make test-ops` has put them into .cache/ops."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import yaml
from support.chart_docs import CHART

ROOT = CHART.parents[1]
TOOLS = ROOT / ".cache" / "ops"
CASES = sorted((CHART / "ci").glob("*-values.yaml"))
#: The oldest that the chart takes, one between, and the newest that the schemas know.
KUBERNETES = ("1.31", "1.34", "1.37")

Manifest = dict[str, Any]


class Refused(Exception):
    """helm did not render; the message is what it said."""


def helm(*arguments: str) -> str:
    """Run helm and return its output. Raises Refused."""
    done = subprocess.run(
        [TOOLS / "helm", *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    if done.returncode:
        raise Refused(done.stderr + done.stdout)
    return done.stdout


def render(
    folder: Path, *values: Path | Manifest, chart: Path = CHART, kubernetes: str = KUBERNETES[-1]
) -> list[Manifest]:
    """Render the chart with values, each a file or a mapping; later ones win. Raises Refused."""
    arguments = ["template", "tags", str(chart), "-n", "shop", "--kube-version", kubernetes]
    for number, given in enumerate(values):
        path = given if isinstance(given, Path) else folder / f"{number}.yaml"
        if not isinstance(given, Path):
            path.write_text(yaml.safe_dump(given))
        arguments += ["-f", str(path)]
    return [found for found in yaml.safe_load_all(helm(*arguments)) if found]


def of_kind(manifests: list[Manifest], kind: str) -> list[Manifest]:
    """The manifests of one kind."""
    return [found for found in manifests if found["kind"] == kind]


def one(manifests: list[Manifest], kind: str) -> Manifest:
    """The only manifest of a kind."""
    (found,) = of_kind(manifests, kind)
    return found


def workloads(manifests: list[Manifest]) -> list[Manifest]:
    """What makes pods."""
    return [found for found in manifests if found["kind"] in ("StatefulSet", "Deployment", "Job")]


def pod(workload: Manifest) -> Manifest:
    """The pod template of a workload."""
    template: Manifest = workload["spec"]["template"]
    return template


def container(workload: Manifest) -> Manifest:
    """The only container of a workload's pods."""
    (found,) = pod(workload)["spec"]["containers"]
    return dict(found)


def component(manifest: Manifest) -> str:
    """worker, trainer or topics."""
    return str(manifest["metadata"]["labels"].get("app.kubernetes.io/component", ""))


def is_hook(manifest: Manifest) -> bool:
    """Whether helm makes it before the release."""
    return "helm.sh/hook" in manifest["metadata"].get("annotations", {})


def selects(selector: Manifest, labels: dict[str, str]) -> bool:
    """Whether a label selector of Kubernetes takes these labels."""
    by_label = all(
        labels.get(name) == value for name, value in selector.get("matchLabels", {}).items()
    )
    return by_label and all(
        rule["operator"] == "In" and labels.get(rule["key"]) in rule["values"]
        for rule in selector.get("matchExpressions", [])
    )
