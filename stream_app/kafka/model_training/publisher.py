"""Models on their way to the topic `models`: those of a day in one transaction, none twice."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Final, NamedTuple

from stream_app.kafka.client.closing import close_within
from stream_app.kafka.client.log import Log, read_all
from stream_app.kafka.client.writer import Outgoing
from stream_app.kafka.errors import Fatal
from stream_app.kafka.model_registry.pins import pin_key
from stream_app.kafka.model_registry.shelf import Shelf, Verdict, Written
from stream_app.kafka.model_training.model_metrics import tell, tell_nothing, tell_published
from stream_app.kafka.partition.rounds import Writer
from stream_app.learning.snapshot import Model, SnapshotError, current_key, encode
from stream_app.metrics import Metrics
from stream_app.settings import Settings

log = logging.getLogger(__name__)


class _Learned(NamedTuple):
    """The last version of a task that was learned, and the last one that is not held back."""

    version: int
    in_use: bytes | None


class Publisher:
    """Publishes what is not there yet; `rebuild` also what is there with other content.

    Any failure to write raises Fatal and leaves nothing half written.
    """

    def __init__(
        self, settings: Settings, metrics: Metrics, writer: Writer, *, rebuild: bool
    ) -> None:
        self._settings = settings
        self._metrics = metrics
        self._writer = writer
        self._rebuild = rebuild
        self._shelf: Final = Shelf({})
        self._last: dict[str, _Learned] = {}
        self._models: Log | None = None

    async def open(self, models: Log) -> list[Model]:
        """Fence whoever published before, then read and return what is published.

        After that only commands write to the topic, which `follow` reads.
        """
        await self._writer.open(self._settings.session_timeout_s)
        self._models = models
        await models.open()
        found = await read_all(models, self._settings.restore_timeout_s)
        self._shelf.put(Written(key, value) for key, value in found.items())
        for task, version in self._shelf.in_use.items():
            self._metrics.set("model_version", version, task=task)
        tell_published(self._metrics, found)
        log.info("Published so far: %s", self._shelf.newest or "nothing")
        for task, version in self._shelf.pins.items():
            log.info("%s is pinned to version %d", task, version)
            await self._repair(task)
        return self._shelf.models

    async def follow(self) -> None:
        """Take over the pins that were set or lifted since; see that what they say is in use."""
        changed = set()
        for key, value in await self._since():
            task = key.decode(errors="replace").rpartition(":")[0]
            # The versions there are are this one's own, known before they come back.
            if key in (pin_key(task), current_key(task)):
                self._shelf.put([Written(key, value)])
                if key == pin_key(task) or task in self._shelf.pins:
                    changed.add(task)
            if key == pin_key(task):
                pinned = self._shelf.pins.get(task)
                log.info("%s is %s", task, f"pinned to version {pinned}" if pinned else "unpinned")
        for task in sorted(changed):
            await self._repair(task)

    async def _since(self) -> list[tuple[bytes, bytes | None]]:
        """What the topic has got since the last look, up to the end as it is now."""
        assert self._models is not None
        found: list[tuple[bytes, bytes | None]] = []
        seconds, end = self._settings.request_timeout_s, await self._models.end()
        try:
            async with asyncio.timeout(seconds):
                while await self._models.position() < end:
                    found += [(key, value) for _, key, value in await self._models.take(1_000)]
        except TimeoutError as error:
            raise Fatal(f"{self._models.topic}: no record was read for {seconds:.0f} s") from error
        return found

    async def _repair(self, task: str) -> None:
        records = self._shelf.repairs(task)
        if records:
            await self._write(records)
            version = self._shelf.in_use[task]
            log.info("Version %d of %s is in use", version, task, extra=_of(task, version))

    async def publish(self, models: Sequence[Model]) -> None:
        """Write models that came out together in one transaction, without those that are there."""
        chosen = [found for model in models if (found := self._judged(model)) is not None]
        if chosen:
            await self.follow()
            await self._write([written for one in chosen for written in self._records(*one)])
        for model, _, _ in chosen:
            self._metrics.count("models_published", task=model.task)
            told = _of(model.task, model.version)
            log.info(
                "Version %d of %s is published: %s",
                model.version, model.task, model.state, extra=told,
            )  # fmt: skip
        for model in models:
            if model.version >= self._shelf.newest.get(model.task, 0):
                tell(self._metrics, model)

    def _records(self, model: Model, value: bytes, verdict: Verdict) -> list[Written]:
        """What publishes a model; the same task may have another one in the same transaction."""
        held, released = model.state == "held", verdict == "released"
        records = self._shelf.records(
            model.task, model.version, value, held=held, released=released
        )
        # Not committed yet: where that fails, this trainer ends, and its shelf with it.
        self._shelf.put(records)
        return records

    def _judged(self, model: Model) -> tuple[Model, bytes, Verdict] | None:
        """A model with its encoding, if it is to be written."""
        task, version = model.task, model.version
        try:
            value = encode(model)
        except ValueError as error:
            reason = error.fault if isinstance(error, SnapshotError) else "not encodable"
            self._metrics.count("models_refused", reason=reason)
            told = _of(task, version)
            log.error("Version %d of %s is not published: %s", version, task, error, extra=told)
            return None
        held = model.state == "held"
        former = self._last.get(task, _Learned(0, None))
        self._last[task] = _Learned(max(version, former.version), former.in_use if held else value)
        verdict = self._shelf.judge(model, value)
        if verdict == "other":
            self._metrics.count("models_differing", task=task)
            log.warning(
                "Version %d of %s is published with another content than was learned now: the "
                "catalogue or the lock file changed%s",
                version, task, "" if self._rebuild else "; `--rebuild` publishes it anew",
                extra=_of(task, version),
            )  # fmt: skip
        wanted = verdict in ("new", "released") or (verdict == "other" and self._rebuild)
        return (model, value, verdict) if wanted else None

    async def compare(self) -> None:
        """After all that there is was learned: see whether that comes to what is published."""
        for task, last in self._last.items():
            newest = self._shelf.newest.get(task, 0)
            if self._rebuild:
                records = self._shelf.back_to(task, last.version, last.in_use)
                if records:
                    log.warning("%s goes from version %d back to %d", task, newest, last.version)
                    await self._write(records)
            elif last.version < newest:
                log.warning(
                    "Version %d of %s is published, but what %s still holds comes to version %d. "
                    "Nothing is published before that is passed; `--rebuild` goes back",
                    newest, task, self._settings.training_topic, last.version,
                )  # fmt: skip

    async def close(self) -> None:
        """Disconnect."""
        tell_nothing(self._metrics)
        # What is in use from now on, whoever leads then tells.
        self._metrics.end("model_version")
        if self._models is not None:
            await self._models.close()
        try:
            seconds = self._settings.drain_timeout_s / 4
            await close_within(self._writer.close(seconds), seconds)
        except TimeoutError as error:
            raise Fatal("the producer of models did not close in time") from error

    async def _write(self, records: Sequence[Written]) -> None:
        outgoing = [Outgoing(key, value) for key, value in records]
        topic = self._settings.models_topic
        await self._writer.write(self._writer.pack({topic: outgoing}))
        self._shelf.put(records)
        for task in {key.decode(errors="replace").rpartition(":")[0] for key, _ in records}:
            self._metrics.set("model_version", self._shelf.in_use.get(task, 0), task=task)


def _of(task: str, version: int) -> dict[str, object]:
    """What a log line is about."""
    return {"task": task, "version": version}
