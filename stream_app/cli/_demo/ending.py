"""The end of the demo: what happened, who was busiest, and what to do next."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from rich.console import RenderableType
from rich.text import Text

from stream_app.cli._demo.place import Place
from stream_app.cli._demo.show import Show
from stream_app.cli._demo.tally import most_active
from stream_app.cli._demo.words import NOTE, class_table, user_lines
from stream_app.cli._demo.worker import DemoWorker


def summary(show: Show) -> Iterator[RenderableType]:
    """Yield lines about everything that was seen."""
    progress, tally, users = show.progress, show.tally, show.feed.events
    clicks, purchases = progress.by_topic
    yield ""
    yield Text("What happened", style="bold")
    yield Text(
        f"{progress.done:,} events ({clicks:,} clicks, {purchases:,} purchases) of {len(users):,} "
        f"users, {progress.rate:,.0f} events per second{_paced(show)}"
    )
    if progress.refused:
        yield Text(f"{progress.refused:,} events were refused: see the topic of dead letters")
    yield Text(f"{tally.changes:,} tag changes, each published with its reason; {NOTE}")
    yield class_table(tally.classes(), len(users))
    yield Text("The five most active users, and why they have the tags that few others have")
    for user, events in most_active(users):
        yield ""
        yield from user_lines(tally, user, events)


def _paced(show: Show) -> str:
    return " (as the replay was paced)" if show.feed.part.factor is not None else ""


def go_on(place: Place, folder: Path, kept: DemoWorker | None, show: Show) -> Iterator[Text]:
    """Yield what is left of the demo, and commands to copy; `kept` is a worker that goes on."""
    user = next(iter(most_active(show.feed.events, 1)), ("h0001", 0))[0]
    program, data = _program(), shlex.quote(str(folder / "kafka"))
    yield Text("")
    if kept is not None:
        yield Text("Kafka and the worker go on. In this or another terminal:", style="bold")
        yield from _commands(
            f"export {place.exports}",
            f"{program} tail                                 # follow the changes of tags",
            f"{program} tail --until-end --user {user}        # all that happened to a user",
            f"curl http://127.0.0.1:{kept.port}/metrics",
            f"kill {kept.pid}                                # ends the worker",
        )
        if place.kafka is not None:
            yield from _commands(f"{program} broker --data-dir {data} --stop")
        return
    if place.shared:
        yield Text("Its worker has ended and its topics are removed. To keep them:", style="bold")
    else:
        yield Text("Nothing is left running. To look at it again:", style="bold")
        port = place.settings.bootstrap_servers.rpartition(":")[2]
        yield from _commands(
            f"export {place.exports}",
            f"{program} broker --data-dir {data} --port {port} --detach",
            f"{program} tail --until-end --user {user}",
            f"{program} tail --until-end --tag big_spender --format json",
            f"{program} broker --data-dir {data} --stop",
        )
        yield Text("To have Kafka and the worker stay:", style="bold")
    yield from _commands(f"{program} demo --keep")


def _commands(*lines: str) -> Iterator[Text]:
    for line in lines:
        yield Text(f"  {line}")


def _program() -> str:
    """How this program is called in the user's shell."""
    called = Path(sys.argv[0])
    found = shutil.which(called.name)
    if found is not None and Path(found) == called.absolute():
        return called.name
    return shlex.quote(str(called)) if called.suffix != ".py" else "python -m stream_app"
