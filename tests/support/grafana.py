"""The program that makes Grafana's dashboards."""

from __future__ import annotations

import importlib.util
from types import ModuleType

from support.alerts import ROOT


def build() -> ModuleType:
    """deploy/grafana/build.py, which is in no package."""
    spec = importlib.util.spec_from_file_location("build", ROOT / "deploy/grafana/build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
