"""A real Prometheus that scrapes processes of a test, and what it answers."""

from __future__ import annotations

import json
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from support.alerts import RULES, TOOLS
from support.worker import Worker

from stream_app.kafka.embedded.probe import free_port

_COMPARISON = re.compile(r"(==|!=|>=|<=|>|<)")
_SELECTOR = re.compile(r"(\{[^}]*\})")


class Failed(Exception):
    """A query that Prometheus refuses; the message says why."""


class Prometheus:
    """Prometheus with the rules, scraping `targets` (name to port) every second as job `shop`."""

    def __init__(self, folder: Path, targets: Mapping[str, int]) -> None:
        self.port = port = free_port()
        config = folder / "prometheus.yml"
        config.write_text(yaml.safe_dump(_config(targets)))
        options = {
            "config.file": config,
            "storage.tsdb.path": folder / "data",
            "web.listen-address": f"127.0.0.1:{port}",
            "log.level": "warn",
        }
        command = [TOOLS / "prometheus", *(f"--{name}={value}" for name, value in options.items())]
        self.process = Worker(folder / "prometheus.log", {}, [*map(str, command)])

    def wait_ready(self, seconds: float = 30.0) -> None:
        """Return when it answers; fails with what it logged when it ends or takes longer."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                self.ask("query", query="vector(1)")
                return
            except OSError:
                assert self.process.alive, self.process.tail()
                assert time.monotonic() < deadline, self.process.tail()
                time.sleep(0.1)

    def ask(self, path: str, **parameters: str) -> Any:
        """Data of its HTTP interface. Raises Failed, or OSError where nobody answers."""
        query = urllib.parse.urlencode(parameters)
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{query}"
        try:
            with urllib.request.urlopen(url, timeout=10) as got:
                return json.load(got)["data"]
        except urllib.error.HTTPError as error:
            raise Failed(f"{parameters}: {error.read().decode()}") from None

    def query(self, query: str) -> list[Any]:
        """The series that a query has now. Raises Failed."""
        found: list[Any] = self.ask("query", query=query)["result"]
        return found


def _config(targets: Mapping[str, int]) -> dict[str, Any]:
    each = [
        {"targets": [f"127.0.0.1:{port}"], "labels": {"instance": name}}
        for name, port in targets.items()
    ]
    return {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(RULES)],
        "scrape_configs": [{"job_name": "shop", "static_configs": each}],
    }


def without_thresholds(expr: str) -> str:
    """An alert's expression that has a value whether or not it fires, from data of now."""
    parts = _SELECTOR.split(re.sub(r" offset \w+", "", expr))
    # Selectors are at odd places. A comparison with `bool` is 0 or 1, and drops nothing.
    parts[::2] = [_COMPARISON.sub(r"\1 bool", part) for part in parts[::2]]
    return "".join(parts)


def as_of_now(query: str) -> str:
    """A dashboard's query with what Grafana puts in for the variables."""
    for name, value in {"$__rate_interval": "15s", "$job": "shop"}.items():
        query = query.replace(name, value)
    return re.sub(r"\$\w+", ".*", query)
