"""stream-app topics: show, check and create the topics."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from stream_app.engine import load_catalogue
from stream_app.kafka.topics import Finding, TopicPlan, TopicsError, ensure_topics
from stream_app.resolve import resolve


@click.command()
@click.option("--plan", "apply", flag_value=False, default=False, help="Only look (the default).")
@click.option("--apply", "apply", flag_value=True, help="Create the topics that are missing.")
@click.option("--bootstrap-servers", help="Kafka's brokers, host:port, separated by commas.")
def command(apply: bool, bootstrap_servers: str | None) -> None:
    """Show each topic as it is and as it is wanted, and what would be done about it.

    Existing topics are never altered: a misfit is named with the command that mends it, and the
    exit code is 2.
    """
    settings = resolve(bootstrap_servers=bootstrap_servers)
    learning = load_catalogue(settings.catalog).learning is not None
    plan, options = TopicPlan.of(settings, learning=learning), settings.client_options()
    findings = asyncio.run(ensure_topics(options, plan, create=False))
    misfits = [misfit for finding in findings for misfit in finding.misfits]
    if apply and not misfits:
        findings = asyncio.run(ensure_topics(options, plan))
    Console().print(table(findings))
    if misfits:
        raise TopicsError(misfits)
    if any(finding.missing for finding in findings):
        click.echo("`stream-app topics --apply` creates what is missing")


def table(findings: Sequence[Finding]) -> Table:
    """A topic a row; a cell is what is there, with what is wanted behind it where that differs."""
    shown = Table("topic", "partitions", "replicas", "min ISR", "cleanup", "", box=SIMPLE_HEAD)
    shown.columns[0].overflow = "fold"
    shown.columns[-1].no_wrap = True
    for finding in findings:
        shown.add_row(finding.spec.name, *_cells(finding), _done(finding))
    return shown


def _cells(finding: Finding) -> list[str]:
    spec, found = finding.spec, finding.found
    wanted = [str(spec.partitions), str(spec.replication), str(spec.min_isr), spec.policy]
    if found is None:
        return wanted
    there = [
        str(found.partitions),
        str(found.replication),
        found.config.get("min.insync.replicas", "?"),
        found.config.get("cleanup.policy", "?"),
    ]
    return [
        is_ if is_ == want else f"{is_} [red](wanted {want})[/red]"
        for is_, want in zip(there, wanted, strict=True)
    ]


def _done(finding: Finding) -> str:
    if finding.misfits:
        return "[red]does not fit[/red]"
    if finding.created:
        return "[green]created[/green]"
    return "[yellow]to be created[/yellow]" if finding.missing else "fits"
