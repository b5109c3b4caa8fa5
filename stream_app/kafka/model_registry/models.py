"""Reading the topic `models`: the models in use, followed by a worker, and all that there are."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from stream_app.kafka.client.log import Log, read_all
from stream_app.kafka.errors import Fatal
from stream_app.kafka.topics import TopicPlan, ensure_topics, found_of
from stream_app.learning.snapshot import Model, SnapshotError, current_key, decode
from stream_app.metrics import Metrics
from stream_app.settings import Settings

log = logging.getLogger(__name__)

Changed = Callable[[Mapping[str, Model]], None]

_AT_ONCE: Final = 100
_FIRST_WAIT_S: Final = 0.5
_LONGEST_WAIT_S: Final = 15.0
_CURRENT: Final = current_key("")


class ModelsError(Exception):
    """There is nothing to read; the message says what to do."""


async def published(settings: Settings) -> dict[bytes, bytes]:
    """Every record of the topic by its key (`task:version`, `task:current`).

    Raises ModelsError when there is no topic or nothing in it, Fatal when it cannot be read, and
    aiokafka's KafkaError when no broker answers.
    """
    options, topic = settings.client_options(), settings.models_topic
    findings = await ensure_topics(options, TopicPlan.of(settings, learning=True), create=False)
    found: dict[bytes, bytes] = {}
    if found_of(findings, topic) is not None:
        models = Log(options, topic, settings.request_timeout_s)
        try:
            await models.open()
            found = await read_all(models, settings.request_timeout_s)
        finally:
            await models.close()
    if not found:
        raise ModelsError(
            f"no model is published on {topic} at {settings.bootstrap_servers}: is "
            "`stream-app trainer` running, and has a horizon passed since the first samples?"
        )
    return found


class ModelReader:
    """Keeps the last good model of each task that the topic says is in use, as `current`.

    `new_log` makes a reader of the topic. `changed` is called in the loop with `current` whenever
    that has changed. A model that cannot be used is refused, counted, and the one before stays;
    only deleting its key withdraws a model. When reading fails, it begins anew from the first
    record, ever later up to 15 s, and what it has stays in use. `fail` gets what is a bug.
    """

    def __init__(
        self,
        new_log: Callable[[], Log],
        timeout_s: float,
        metrics: Metrics,
        changed: Changed,
        fail: Callable[[BaseException], None],
    ) -> None:
        self._new_log = new_log
        self._timeout_s = timeout_s
        self._metrics = metrics
        self._changed = changed
        self._fail = fail
        self._models: dict[str, Model] = {}
        self._log: Log | None = None
        self._following: asyncio.Task[None] | None = None

    @property
    def current(self) -> Mapping[str, Model]:
        """The models in use by task, as they are now; a later change makes another mapping."""
        return MappingProxyType(self._models)

    async def start(self) -> None:
        """Read up to the end as it is now, then follow. Raises Fatal when that cannot be read."""
        await self._begin()
        self._following = asyncio.create_task(self._follow(), name="models")

    async def stop(self) -> None:
        """Follow no more."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.wait([self._following])
        await self._leave()

    def take(self, records: Mapping[bytes, bytes | None]) -> None:
        """Put into use what `records`, the last value of each key, say; without one: withdraw."""
        models = dict(self._models)
        for key, value in records.items():
            if key.endswith(_CURRENT):
                self._take(models, key.removesuffix(_CURRENT).decode(errors="replace"), value)
        if models == self._models:
            return
        for task in models.keys() | self._models.keys():
            version = models[task].version if task in models else 0
            self._metrics.set("model_version", version, task=task)
            if task in models:
                created = models[task].created_at / 1000
                self._metrics.set("model_created_timestamp_seconds", created, task=task)
            else:
                self._metrics.end("model_created_timestamp_seconds", task=task)
        self._models = models
        log.info("Models in use: %s", _list(models))
        self._changed(self.current)

    def _take(self, models: dict[str, Model], task: str, value: bytes | None) -> None:
        if value is None:
            models.pop(task, None)
            return
        try:
            model = decode(value)
        except SnapshotError as error:
            self._refuse(task, error.fault, str(error))
            return
        if model.task != task:
            self._refuse(task, "key", f"it is a model of {model.task}")
            return
        models[task] = model

    def _refuse(self, task: str, reason: str, why: str) -> None:
        self._metrics.count("models_refused", reason=reason)
        told = {"task": task}
        log.error("The model of %s is refused, the one before stays: %s", task, why, extra=told)

    async def _begin(self) -> None:
        self._log = self._new_log()
        await self._log.open()
        self.take(await read_all(self._log, self._timeout_s, _CURRENT))

    async def _leave(self) -> None:
        left, self._log = self._log, None
        if left is not None:
            try:
                await left.close()
            except Fatal as error:
                log.warning("%s", error)

    async def _follow(self) -> None:
        wait = _FIRST_WAIT_S
        try:
            while True:
                try:
                    if self._log is None:
                        await self._begin()
                    await self._next()
                    wait = _FIRST_WAIT_S
                except Fatal as error:
                    self._metrics.count("reconnects")
                    log.warning("Models cannot be read, next try in %.1f s: %s", wait, error)
                    await self._leave()
                    await asyncio.sleep(wait)
                    wait = min(_LONGEST_WAIT_S, wait * 2)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            self._fail(error)

    async def _next(self) -> None:
        assert self._log is not None
        entries = await self._log.take(_AT_ONCE)
        self.take({key: value for _, key, value in entries})


def _list(models: Mapping[str, Model]) -> str:
    named = (f"{task} {model.version} ({model.state})" for task, model in sorted(models.items()))
    return ", ".join(named) or "none"
