"""Where a demo takes place: a Kafka, names of its own, and what is left of it afterwards."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient

from stream_app.kafka.embedded import EmbeddedKafka, running_on
from stream_app.kafka.embedded.runtime import Say
from stream_app.kafka.topics import Finding, TopicPlan, ensure_topics, topic_specs
from stream_app.resolve import resolve
from stream_app.settings import PREFIX, Settings

_TOPICS = ("clicks", "purchases", "tags", "tag_state", "dead_letters", "training", "models")
#: The settings that a demo decides itself; all others are the user's.
_OWN = ("bootstrap_servers", "app_id", "clock", "catalog", *(f"{topic}_topic" for topic in _TOPICS))
#: Of these what a shell needs only where it is not the default.
_SELDOM = (PREFIX + "CATALOG", *(f"{PREFIX}{topic.upper()}_TOPIC" for topic in _TOPICS))


@dataclass(frozen=True, slots=True)
class Place:
    """Settings of a demo. `kafka` is None on a cluster of the user's.

    `shared`: others use the cluster too, so the topics carry the demo's name and are removed.
    `learning`: the catalogue declares something to learn.
    """

    settings: Settings
    kafka: EmbeddedKafka | None
    shared: bool
    learning: bool = False

    @property
    def environment(self) -> dict[str, str]:
        """STREAM_APP_* variables that make any other command work on this demo."""
        return {PREFIX + name.upper(): str(getattr(self.settings, name)) for name in _OWN}

    @property
    def exports(self) -> str:
        """Those of them that a shell needs, as arguments of `export`."""
        usual = Settings.model_fields
        return " ".join(
            f"{name}={value}"
            for name, value in self.environment.items()
            if name not in _SELDOM or value != str(usual[name.removeprefix(PREFIX).lower()].default)
        )

    @property
    def plan(self) -> TopicPlan:
        """The topics; what history is sent to keeps it, old as it is."""
        return replace(TopicPlan.of(self.settings, learning=self.learning), keep_inputs=True)

    def make_topics(self) -> list[Finding]:
        """Create the topics, or check them."""
        return asyncio.run(ensure_topics(self.settings.client_options(), self.plan))

    def remove_topics(self) -> None:
        """Remove the demo's topics from a shared cluster; nothing else has their names."""
        names = [spec.name for spec in topic_specs(self.plan)]
        asyncio.run(_remove(self.settings.client_options(), names))

    def under(self, catalog: str, *, learning: bool) -> Place:
        """The same place with another catalogue."""
        settings = self.settings.model_copy(update={"catalog": catalog})
        return replace(self, settings=settings, learning=learning)


def on_cluster(settings: Settings, name: str) -> Place:
    """A demo on a cluster that others use: all its topics are called `NAME-…`."""
    topics = {f"{topic}_topic": f"{name}-{topic.replace('_', '-')}" for topic in _TOPICS}
    servers = settings.bootstrap_servers
    return Place(
        resolve(bootstrap_servers=servers, app_id=name, clock="event", **topics), None, True
    )


def on_kafka(kafka: EmbeddedKafka, name: str) -> Place:
    """A demo on an embedded Kafka; on one that ran before, beside what is there."""
    if not kafka.owned:
        place = on_cluster(resolve(bootstrap_servers=kafka.bootstrap_servers), name)
        return replace(place, kafka=kafka)
    names = {f"{topic}_topic": topic.replace("_", "-") for topic in _TOPICS}
    servers = kafka.bootstrap_servers
    settings = resolve(bootstrap_servers=servers, app_id="demo", clock="event", **names)
    return Place(settings, kafka, False)


def start_kafka(folder: Path, say: Say, *, keep: bool) -> EmbeddedKafka:
    """An embedded Kafka in `folder`; with `keep` it goes on when this process ends.

    What the demo before has left there is removed, unless its Kafka still runs: that is used.
    """
    running = running_on(folder)
    if running is None:
        shutil.rmtree(folder, ignore_errors=True)
    # Any free port: a fixed one may be taken by another demo while Java is still starting.
    return EmbeddedKafka(folder, None if running else 0, bound=not keep, say=say).start()


async def _remove(client_options: dict[str, Any], names: list[str]) -> None:
    admin = AIOKafkaAdminClient(**client_options)
    try:
        await admin.start()
        await admin.delete_topics(names)
    finally:
        await admin.close()
