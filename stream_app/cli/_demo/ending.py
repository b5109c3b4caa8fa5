"""The end of the demo: what happened, who was busiest, and what to do next."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

from rich.text import Text

from stream_app.cli._demo.place import Place
from stream_app.cli._demo.process import DemoProcess
from stream_app.cli._demo.screen import Screen
from stream_app.cli._demo.show import Show
from stream_app.cli._demo.tally import most_active
from stream_app.cli._demo.words import NOTE, class_table, user_rows


def tell(screen: Screen, show: Show) -> None:
    """Print what was seen: events, tags by class, the five most active users."""
    progress, tally, users = show.progress, show.tally, show.feed.events
    clicks, purchases = progress.by_topic
    paced = ", as the replay was paced" if show.feed.part.factor is not None else ""
    screen.print()
    screen.print(Text("What happened", style="bold"))
    screen.print(
        f"{progress.done:,} events of {len(users):,} users: {clicks:,} clicks and {purchases:,} "
        f"purchases, {progress.rate:,.0f} events per second{paced}"
    )
    screen.print(f"{tally.changes:,} tag changes, each published with its reason")
    if progress.refused:
        screen.print(f"{progress.refused:,} events were refused: see the topic dead-letters")
    screen.print(f"({NOTE})")
    screen.print(class_table(tally.classes(), len(users)))
    screen.print(Text("The five most active users, and the tags that set them apart", style="bold"))
    for user, events in most_active(users):
        screen.print()
        for row in user_rows(tally, user, events):
            screen.row(*row)


def go_on(screen: Screen, place: Place, data: Path, kept: list[DemoProcess], show: Show) -> None:
    """Print what is left of the demo, and commands to copy; `kept` are the processes that go on."""
    user = next(iter(most_active(show.feed.events, 1)), ("h0001", 0))[0]
    program, folder = _program(), f"--data-dir {shlex.quote(str(data))}"
    read = [
        f"export {place.exports}",
        f"{program} tail --until-end --user {user}",
        f"{program} tail --until-end --tag big_spender --format json",
    ]
    stop = [f"{program} broker {folder} --stop"] if place.kafka is not None else []
    if kept:
        watch = f"curl http://127.0.0.1:{kept[0].port}/metrics"
        names = " and ".join(f"the {process.command}" for process in kept)
        pids = " ".join(str(process.pid) for process in kept)
        _commands(screen, f"Kafka, {names} go on. To see more", [*read, watch])
        _commands(screen, "To end them", [f"kill {pids}", *stop])
        return
    if place.shared:
        screen.print("\nWhat the demo started has ended, and its topics are removed.")
    else:
        port = place.settings.bootstrap_servers.rpartition(":")[2]
        start = f"{program} broker {folder} --port {port} --detach"
        known = [start, *read, *stop]
        _commands(screen, "Nothing is left running. To look at all of it again", known)
    _commands(screen, "To have everything stay", [f"{program} demo --keep"])


def _commands(screen: Screen, why: str, lines: list[str]) -> None:
    screen.print()
    screen.print(Text(f"{why}:", style="bold"))
    for line in lines:
        # Never folded: it is to be copied.
        screen.copyable(f"  {line}")


def _program() -> str:
    """How this program is called in the user's shell."""
    called = Path(sys.argv[0])
    if called.suffix == ".py":
        return "python -m stream_app"
    found = shutil.which(called.name)
    if found is not None and Path(found) == called.absolute():
        return called.name
    here = called.absolute()
    return shlex.quote(str(here.relative_to(Path.cwd()) if Path.cwd() in here.parents else here))
