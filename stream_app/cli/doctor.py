"""stream-app doctor: look at everything that has to be right, and say what to do."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from dataclasses import asdict
from typing import Final

import click
from rich.console import Console
from rich.text import Text

from stream_app.cli.errors import explain
from stream_app.kafka.client.acls import ROLES
from stream_app.kafka.doctor import Finding, State, examine, healthy
from stream_app.resolve import resolve
from stream_app.settings import Settings

_STYLES: Final = {State.OK: "green", State.WARNING: "yellow", State.PROBLEM: "bold red"}
#: Beyond its time limit, for what cannot be interrupted, such as a name server that hangs.
_GRACE_S: Final = 5.0


@click.command()
@click.option(
    "--format",
    "shape",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="For people, or for programs: one JSON object.",
)
@click.option(
    "--role",
    type=click.Choice(ROLES),
    default="worker",
    show_default=True,
    help="Whose rights this user has to have.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=1, max=600),
    default=30.0,
    show_default=True,
    help="Seconds after which it ends, whatever was not looked at by then.",
)
@click.option("--quiet", is_flag=True, help="Only warnings and problems.")
@click.option("--bootstrap-servers", help="Kafka's brokers, host:port, separated by commas.")
@click.option("--catalog", help="Catalogue file, or the name of one that ships.")
def command(
    shape: str,
    role: str,
    timeout: float,
    quiet: bool,
    bootstrap_servers: str | None,
    catalog: str | None,
) -> None:
    """Look at brokers, topics, rights, clocks, lag, dead letters, models and the catalogue.

    Nothing is changed. Each finding says what to do. The exit code is 1 if there is a problem;
    warnings alone give 0.
    """
    settings = resolve(bootstrap_servers=bootstrap_servers, catalog=catalog)
    shown = _Shown(Console(highlight=False, soft_wrap=True), shape == "text", quiet)
    ended = _within(settings, role, timeout, shown)
    if not ended:
        late = f"something hangs for more than {timeout + _GRACE_S:.0f} s"
        shown.add(Finding("doctor", State.PROBLEM, late, "look at name servers and brokers"))
    shown.close()
    code = 0 if healthy(shown.findings) else 1
    if not ended:
        # What hangs would be waited for.
        sys.stdout.flush()
        os._exit(code)
    sys.exit(code)


class _Shown:
    """Findings as they come; as JSON at the end."""

    def __init__(self, console: Console, as_text: bool, quiet: bool) -> None:
        self.findings: list[Finding] = []
        self._console, self._as_text, self._quiet = console, as_text, quiet

    def add(self, finding: Finding) -> None:
        self.findings.append(finding)
        if self._as_text and not (self._quiet and finding.state is State.OK):
            self._console.print(line(finding))

    def close(self) -> None:
        counts = {state: sum(f.state is state for f in self.findings) for state in State}
        if not self._as_text:
            told = [asdict(f) for f in self.findings if not (self._quiet and f.state is State.OK)]
            healthy_ = not counts[State.PROBLEM]
            print(json.dumps({"healthy": healthy_, "findings": told}, ensure_ascii=False))
            return
        words = ", ".join(f"{counts[state]} {state}" for state in State)
        self._console.print(f"\n{words}")


def line(finding: Finding) -> Text:
    """`problem  topics  clicks is missing → …`."""
    text = Text(f"{finding.state:<8} ", style=_STYLES[finding.state])
    text.append(f"{finding.subject:<13} {finding.text}", style="not bold default")
    if finding.remedy:
        text.append(f" → {finding.remedy}", style="not bold default")
    return text


def _within(settings: Settings, role: str, timeout: float, shown: _Shown) -> bool:
    """Examine; whether it ended in time."""
    failed: list[Exception] = []

    def run() -> None:
        try:
            asyncio.run(examine(settings, role, shown.add, budget_s=timeout))
        except Exception as error:
            failed.append(error)

    thread = threading.Thread(target=run, name="doctor", daemon=True)
    thread.start()
    thread.join(timeout + _GRACE_S)
    for error in failed:
        if not explain(error):
            raise error
        for text in explain(error):
            shown.add(Finding("doctor", State.PROBLEM, text))
    return not thread.is_alive()
