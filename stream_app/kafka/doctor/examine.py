"""All that is looked at, in an order in which what is missing explains what follows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from stream_app.domain.errors import DeclarationError
from stream_app.engine.catalogue import Catalogue, load_catalogue
from stream_app.kafka.client.acls import Right, rights
from stream_app.kafka.client.administration import administration
from stream_app.kafka.client.rights import missing_right
from stream_app.kafka.doctor import (
    judge,
    judge_flow,
    judge_models,
    judge_state,
    look,
    look_flow,
)
from stream_app.kafka.doctor.facts import Group, Replicas
from stream_app.kafka.doctor.findings import Finding, problem, warning
from stream_app.kafka.doctor.port import look_at_port
from stream_app.kafka.errors import Fatal
from stream_app.kafka.model_registry.models import ModelsError, published
from stream_app.kafka.topics import TopicPlan, TopicsError, ensure_topics
from stream_app.kafka.topics.check import Finding as Topic
from stream_app.kafka.topics.left import routed_topic
from stream_app.security import SecurityError
from stream_app.settings import Settings

#: Longest look at one thing (s).
STEP_S = 10.0
Rights = dict[tuple[str, str], frozenset[str] | None]
_EXPECTED = (Fatal, KafkaError, OSError, TopicsError, ModelsError, SecurityError)


async def examine(
    settings: Settings, role: str, report: Callable[[Finding], None], *, budget_s: float = 30.0
) -> None:
    """Look at everything for at most `budget_s`, and report each finding when it is known.

    Nothing is changed. `role` says what this user has to be allowed.
    """
    # What has no answer in a part of the step's time has none.
    patient = settings.model_copy(update={"request_timeout_s": STEP_S / 2})
    await _Examination(patient, role, report, time.monotonic() + budget_s).run()


@dataclass
class _Examination:
    settings: Settings
    role: str
    report: Callable[[Finding], None]
    until: float
    _catalogue: Catalogue | None = None
    _topics: Sequence[Topic] = ()
    _replicas: dict[str, Replicas] = field(default_factory=dict)
    _groups: dict[str, Group] = field(default_factory=dict)
    #: Partitions of the topic of routed events, where nothing is routed any more.
    _left: int = 0

    async def run(self) -> None:
        await self._step("catalogue", self._read_catalogue())
        await self._step("port", self._look_at_port())
        if not await self._step("brokers", self._look_at_brokers()):
            self.report(problem("kafka", "nothing else was looked at: no broker lets us in"))
            return
        await self._step("topics", self._look_at_topics())
        await self._step("groups", self._look_at_groups())
        await self._step("rights", self._look_at_rights())
        await self._step("routing", self._look_at_routing())
        if self._there(self.settings.changelog_topic):
            await self._step("state", self._look_at_state())
        if self._there(self.settings.changelog_topic) and self._inputs():
            await self._step("lag", self._look_at_partitions())
        if self._there(self.settings.dead_letters_topic) and self._inputs():
            await self._step("dead letters", self._look_at_refusals())
        await self._step("models", self._look_at_models())

    async def _step(self, subject: str, looking: Awaitable[bool | None]) -> bool:
        """Whether it went on to its end; else it is reported why not."""
        left = self.until - time.monotonic()
        try:
            async with asyncio.timeout(max(0.0, min(STEP_S, left))):
                return await looking is not False
        except TimeoutError:
            self.report(
                problem(subject, "no answer in time", "look at the brokers, or give --timeout")
            )
        except _EXPECTED as error:
            self.report(_prevented(subject, error))
        except Exception as error:
            # What is this strange is told, and hides nothing of the rest.
            text = f"cannot be looked at: {type(error).__name__}: {' '.join(str(error).split())}"
            self.report(problem(subject, text, "this was not foreseen: report it with this line"))
        return False

    def _tell(self, findings: Iterable[Finding]) -> None:
        for finding in findings:
            self.report(finding)

    async def _read_catalogue(self) -> None:
        try:
            self._catalogue = await asyncio.to_thread(load_catalogue, self.settings.catalog)
        except DeclarationError as error:
            self.report(
                problem("catalogue", str(error), "mend it; `stream-app check` says when it is")
            )

    async def _look_at_port(self) -> None:
        found = await look_at_port(self.settings)
        if found is not None:
            self.report(judge.port(found))

    async def _look_at_brokers(self) -> bool:
        found = await look.brokers(self.settings.client_options())
        self._tell(judge.brokers(found))
        return any(broker.why is None for broker in found)

    async def _look_at_topics(self) -> None:
        plan = TopicPlan.of(self.settings, learning=self._learning)
        options = self.settings.client_options()
        self._topics = await ensure_topics(options, plan, create=False)
        async with administration(self.settings) as admin:
            self._replicas = await look.replicas(admin, self._topics)
        self._tell(judge.topics(self._topics, self._replicas))

    async def _look_at_groups(self) -> None:
        app_id = self.settings.app_id
        remedies = {"worker": "start one with `stream-app worker`"}
        names = {"worker": app_id}
        if self._learning:
            names["trainer"] = f"{app_id}-trainer"
            remedies["trainer"] = "start one with `stream-app trainer`: nothing is learned"
        async with administration(self.settings) as admin:
            self._groups = await look.groups(admin, names.values())
        for program, name in names.items():
            self.report(judge.group(self._groups[name], program, remedies[program]))

    async def _look_at_rights(self) -> None:
        wanted = [
            right
            for right in rights(self.settings, learning=self._learning)
            if right.role == self.role and (right.resource != "topic" or self._there(right.name))
        ]
        async with administration(self.settings) as admin:
            may: dict[tuple[str, str], frozenset[str] | None] = {
                (right.resource, right.name): await self._may(admin, right) for right in wanted
            }
        self._tell(judge.rights(wanted, may))

    async def _may(self, admin: AIOKafkaAdminClient, right: Right) -> frozenset[str] | None:
        if right.resource == "topic":
            return self._replicas.get(right.name, Replicas()).may
        if right.resource == "group":
            return self._groups[right.name].may if right.name in self._groups else None
        name = f"{right.name}0" if right.prefixed else right.name
        return await look.transactional_id(admin, name)

    async def _look_at_routing(self) -> None:
        settings, counts = self.settings, self._counts()
        found = next((t for t in self._topics if t.spec.name == settings.routed_topic), None)
        if settings.route == "never":
            found = await routed_topic(settings, TopicPlan.of(settings))
            self._left = found.found.partitions if found.found else 0
        else:
            names = (settings.clicks_topic, settings.purchases_topic)
            there = {name: counts[name] for name in names if name in counts}
            self._tell(judge_state.inputs(there, settings.partitions))
        if found is not None and found.found is not None:
            name, purge_s = found.spec.name, settings.routed_purge_s
            self._tell(judge_state.routed(name, found.found, settings.route, purge_s))

    async def _look_at_state(self) -> None:
        metas = await look_flow.standing(self.settings, self._there(self.settings.changelog_topic))
        self._tell(judge_state.state(metas, self.settings.partitions))

    async def _look_at_partitions(self) -> None:
        async with administration(self.settings) as admin:
            found = await look_flow.partitions(admin, self.settings, self._counts())
        now, settings = _now(), self.settings
        stall_ms = int(settings.stall_timeout_s * 1000)
        self.report(judge_flow.clock(found, now))
        many = settings.queue_records
        self._tell(judge_flow.lag(found, now, stall_ms, many, settings.app_id))
        if self._catalogue is not None:
            self._tell(judge_flow.times(found, now, self._clock, int(settings.future_s * 1000)))
            self.report(judge_flow.catalogue(self._catalogue.revision, found))

    async def _look_at_refusals(self) -> None:
        found = await look_flow.refusals(self.settings, self._counts(), _now())
        self.report(judge_flow.refusals(found, self.settings.dead_letter_share))
        self._tell(judge_state.misrouted(found, self.settings.route))

    async def _look_at_models(self) -> None:
        learning = self._catalogue.learning if self._catalogue else None
        if learning is None:
            return
        try:
            found = judge_models.read(await published(self.settings), learning)
        except ModelsError:
            found = []
        self._tell(judge_models.models(found, learning, _now(), self._clock))

    @property
    def _learning(self) -> bool:
        return self._catalogue is not None and self._catalogue.learning is not None

    @property
    def _clock(self) -> str:
        assert self._catalogue is not None
        return self.settings.clock or self._catalogue.shop.clock

    def _there(self, topic: str) -> int:
        """How many partitions a topic has; 0 where it is missing or hidden."""
        found = next((t.found for t in self._topics if t.spec.name == topic), None)
        return 0 if found is None else found.partitions

    def _counts(self) -> dict[str, int]:
        """How many partitions each topic has that is there."""
        there = {t.spec.name: t.found.partitions for t in self._topics if t.found is not None}
        return there | ({self.settings.routed_topic: self._left} if self._left else {})

    def _inputs(self) -> bool:
        """Whether both inputs are there and fit the changelog: else offsets mean nothing."""
        inputs = {
            self._there(self.settings.clicks_topic),
            self._there(self.settings.purchases_topic),
        }
        changelog = self._there(self.settings.changelog_topic)
        if self.settings.route == "never":
            return inputs == {changelog} - {0}
        return 0 not in inputs and changelog > 0


def _prevented(subject: str, error: BaseException) -> Finding:
    right = missing_right(error)
    if right is not None:
        return warning(subject, f"cannot be looked at: {right}")
    misfits: Any = getattr(error, "misfits", None)
    text = "; ".join(misfits) if misfits else " ".join(str(error).split())
    return problem(subject, f"cannot be looked at: {text or type(error).__name__}")


def _now() -> int:
    return time.time_ns() // 1_000_000
