"""The demo from its first line to its last; whatever it started is ended, however it goes."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rich.text import Text

from stream_app.cli._demo.catalog import small_shop
from stream_app.cli._demo.ending import go_on, tell
from stream_app.cli._demo.errors import DemoError
from stream_app.cli._demo.feed import Feed, Slice
from stream_app.cli._demo.learned import learned_tables
from stream_app.cli._demo.place import Place, on_cluster, on_kafka, start_kafka
from stream_app.cli._demo.process import DemoProcess
from stream_app.cli._demo.screen import Screen
from stream_app.cli._demo.show import Show
from stream_app.cli._demo.words import LEGEND, NOTE, label, pace, title
from stream_app.data import Shop, load_shop
from stream_app.engine.catalogue import Catalogue, load_catalogue
from stream_app.kafka.embedded.runtime import KAFKA_VERSION
from stream_app.settings import Settings


@dataclass(frozen=True, slots=True)
class Plan:
    """What was asked for: `settings` of the user; `cluster`: they name a Kafka to use."""

    settings: Settings
    cluster: bool
    part: Slice
    folder: Path
    keep: bool


class Demo:
    """One run; `screen` gets every line. Topics on a cluster of others carry `name`."""

    def __init__(self, plan: Plan, screen: Screen, name: str) -> None:
        self._plan = plan
        self._screen = screen
        self._name = name

    def run(self) -> None:
        """Play it. Raises DemoError, and what Kafka, its client and the catalogue raise."""
        self._plan.folder.mkdir(parents=True, exist_ok=True)
        file = small_shop(self._plan.settings, self._plan.folder)
        try:
            self._run(file, load_catalogue(file))
        except DemoError as error:
            for line in error.log:
                self._screen.print(Text(f"  {line}", style="dim"))
            raise

    def _run(self, file: str, catalogue: Catalogue) -> None:
        screen, keep = self._screen, self._plan.keep
        screen.print(title())
        screen.print()
        with ThreadPoolExecutor(1) as pool, ExitStack() as ends:
            loading = pool.submit(load_shop)
            place = self._kafka(ends).under(file, learning=catalogue.learning is not None)
            self._topics(place, ends)
            worker = self._worker(place, catalogue, ends)
            trainer = self._trainer(place, ends) if catalogue.learning else None
            show = self._play(place, catalogue, (worker, trainer), loading)
            tell(screen, show)
            if catalogue.learning is not None:
                segments = catalogue.learning.segmentation
                for shown in learned_tables(place, segments.share_of if segments else None):
                    screen.print(shown)
            if keep:
                ends.pop_all()
            else:
                screen.print()
                screen.row(*label("End", "stopping what was started"))
        kept = [process for process in (worker, trainer) if process is not None and keep]
        go_on(screen, place, self._plan.folder / "kafka", kept, show)

    def _kafka(self, ends: ExitStack) -> Place:
        plan = self._plan
        if plan.cluster:
            servers = plan.settings.bootstrap_servers
            self._screen.row(*label("Kafka", f"yours, on {servers}"))
            return on_cluster(plan.settings, self._name)
        with self._screen.stage("Kafka", "looking for Apache Kafka") as stage:
            began = time.monotonic()
            kafka = start_kafka(plan.folder / "kafka", stage.say, keep=plan.keep)
            ends.callback(kafka.stop)
            ready = f"ready after {time.monotonic() - began:.0f} s" if kafka.owned else "as it runs"
            stage.result = f"Apache Kafka {KAFKA_VERSION} on {kafka.bootstrap_servers}, {ready}"
        return on_kafka(kafka, self._name)

    def _topics(self, place: Place, ends: ExitStack) -> None:
        with self._screen.stage("Topics", "creating the topics") as stage:
            made = ", ".join(finding.spec.name for finding in place.make_topics())
            if place.shared:
                ends.callback(place.remove_topics)
                made = f"six of its own, named {self._name}-…"
            stage.result = f"{made}; {place.settings.partitions} partitions each"

    def _worker(self, place: Place, catalogue: Catalogue, ends: ExitStack) -> DemoProcess:
        features, tags = len(catalogue.features.names), len(catalogue.tags.names)
        with self._screen.stage("Worker", "starting a worker") as stage:
            began = time.monotonic()
            worker = self._process("worker", place, ends)
            stage.result = (
                f"ready after {time.monotonic() - began:.0f} s, as process {worker.pid}; "
                f"its catalogue declares {features} features and {tags} tags"
            )
        return worker

    def _trainer(self, place: Place, ends: ExitStack) -> DemoProcess:
        with self._screen.stage("Trainer", "starting a trainer") as stage:
            began = time.monotonic()
            trainer = self._process("trainer", place, ends)
            stage.result = (
                f"ready after {time.monotonic() - began:.0f} s, as process {trainer.pid}; "
                "it learns what users do next, and finds segments"
            )
        return trainer

    def _process(self, command: str, place: Place, ends: ExitStack) -> DemoProcess:
        """Start a command, see that it is ended with the demo, and wait until it is at work."""
        plan = self._plan
        name = f"{self._name}-{command}" if place.shared else command
        log = plan.folder / f"{name}.log"
        process = DemoProcess(command, place.environment, log, bound=not plan.keep)
        ends.callback(lambda: process.stop(_patience(place)))
        process.wait_ready()
        return process

    def _play(
        self,
        place: Place,
        catalogue: Catalogue,
        processes: tuple[DemoProcess, DemoProcess | None],
        loading: Future[Shop],
    ) -> Show:
        part, screen = self._plan.part, self._screen
        with screen.stage("Shop", "reading a year of shopping") as stage:
            shop = loading.result()
            stage.result = f"{part.households:,} households, {part}, {pace(part)}"
        screen.row(*label("", NOTE))
        screen.row(*label("Tags", LEGEND))
        screen.print()
        meaning = {tag.name: tag.description for tag in catalogue.tags.declarations.values()}
        show = Show(screen, Feed(shop, part), *processes, place, meaning)
        try:
            with screen.watching():
                asyncio.run(show.play())
        except KeyboardInterrupt:
            screen.row(*label("", "interrupted: what was seen until now"))
            tell(screen, show)
            raise
        return show


def _patience(place: Place) -> float:
    """Seconds that a worker gets to commit what is under way; without Kafka it cannot."""
    lost = place.kafka is not None and not place.kafka.alive
    return 1.0 if lost else place.settings.drain_timeout_s * 2
