"""The one place where a worker is composed. Nothing is built at import.

`faust -A stream_app.app worker` asks this module for `app`, which is made then.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import faust
from aiokafka.structs import TopicPartition
from faust.app.base import BootStrategy
from faust.auth import OAuthCredentials
from mode.utils.queues import FlowControlEvent

from stream_app.agents import add_agent, add_agents
from stream_app.engine import Profiles, Program
from stream_app.engine.catalogue import Limits
from stream_app.engine.changelog import Loader
from stream_app.engine.reload import CatalogueFile
from stream_app.health import Health
from stream_app.kafka.client import connection
from stream_app.kafka.client.log import Log
from stream_app.kafka.client.writer import TransactionWriter
from stream_app.kafka.ending import end_process
from stream_app.kafka.faust_adapters import store, transport
from stream_app.kafka.faust_adapters.assignor import FollowingAssignor
from stream_app.kafka.faust_adapters.partitions import Partitions
from stream_app.kafka.faust_adapters.service import WorkerService
from stream_app.kafka.model_registry.in_use import ModelsInUse, Take
from stream_app.kafka.model_registry.models import ModelReader
from stream_app.kafka.partition.clock import Evenness
from stream_app.kafka.partition.rounds import Clocks
from stream_app.kafka.partition.surroundings import Surroundings
from stream_app.kafka.partition.tracing import tracing
from stream_app.kafka.partition.turns import Turns
from stream_app.kafka.recovery.copies import open_copy
from stream_app.kafka.recovery.local import Stores
from stream_app.kafka.recovery.reader import Reader
from stream_app.kafka.recovery.restore import restore
from stream_app.kafka.recovery.standby import Standby
from stream_app.kafka.recovery.standbys import Standbys, connect
from stream_app.metrics import Metrics, process_registry
from stream_app.resolve import resolve
from stream_app.settings import Settings

#: Of one partition in one fetch, compressed: larger batches come one partition at a time, and what
#: came becomes objects at once, ten times as large.
_MAX_FETCH_BYTES = 512 * 1024
#: Of a changelog that is followed: no more than is put in within a few tenths of a second.
_STANDBY_FETCH_BYTES = 1024 * 1024
#: How long the broker may keep a fetch of it: nobody is waiting for what comes.
_STANDBY_WAIT_MS = 500
_DAY_MS = 86_400_000
_CENTURY_S = 100 * 365 * 86_400.0


class NoPages(BootStrategy):
    """Starts no web server, whatever `faust worker` sets: its pages show tables to whoever asks."""

    enable_web = False


class Flow(FlowControlEvent):
    """What holds deliveries back during a rebalance.

    Faust resumes several times after one, and each time throws away what was delivered since: the
    position would have moved past records that nobody folds. Only the first time is needed.
    """

    def resume(self) -> None:
        if not self.is_active():
            super().resume()


class StreamApp(faust.App):
    """A Faust application whose inputs are folded by partition tasks."""

    BootStrategy = NoPages
    worker: WorkerService
    partitions: Partitions
    standbys: Standbys

    @cached_property
    def flow_control(self) -> FlowControlEvent:
        return Flow()

    def profiles(self) -> Iterator[Profiles]:
        """Yield the profiles in memory, a partition at a time."""
        for task in self.partitions.tasks.values():
            if task.rounds is not None:
                yield task.rounds.profiles

    async def on_first_start(self) -> None:
        await self.worker.prepare()
        await super().on_first_start()

    async def on_stop(self) -> None:
        await asyncio.gather(self.worker.leave(), self.standbys.stop())
        await super().on_stop()


def create_app(settings: Settings) -> StreamApp:
    """Compose a worker from `settings`. Raises DeclarationError where the catalogue is wrong."""
    connection.register(settings.session_timeout_s)
    transport.register()
    store.register()
    clocks = Clocks(wall_ms=lambda: time.time_ns() // 1_000_000, seconds=time.monotonic)
    metrics, health = Metrics(process_registry()), Health(int(settings.stall_timeout_s * 1000))
    catalogue = CatalogueFile(settings.catalog, limits_of(settings))
    app, stores, turns = _faust_app(settings), _stores(settings), Turns()
    around = Surroundings(
        settings=settings,
        metrics=metrics,
        inputs=_Late(lambda: app.consumer),
        clocks=clocks,
        program=lambda: catalogue.program,
        new_writer=partial(_new_writer, settings),
        restore=partial(
            _restore, app, settings, stores, turns, lambda: health.progress(clocks.steady_ms())
        ),
        fail=end_process,
        turns=turns,
        models=lambda: in_use.current,
        trace=tracing(settings),
        evenness=Evenness(partial(metrics.count, "clock_jumps")),
    )
    partitions = Partitions(around, health)
    new_reader = partial(_new_reader, settings, metrics)
    in_use = ModelsInUse(around.program, new_reader, partitions.use_models, metrics)
    app.Table("profiles", key_type=str, value_type=dict, partitions=settings.partitions)
    add_agents(app, settings, partitions)
    app.partitions = partitions
    new_standby = partial(_new_standby, settings, stores, around)
    app.standbys = Standbys(settings.standby_replicas, new_standby, metrics, partial(_rejoin, app))
    connect(app, settings.changelog_topic, app.standbys)
    subscribe = partial(add_agent, app, partitions)
    app.worker = WorkerService(app, around, partitions, catalogue, health, in_use, subscribe)
    return app


def limits_of(settings: Settings) -> Limits:
    """Return the bounds on input that `settings` set."""
    return Limits(
        max_event_bytes=settings.max_event_bytes,
        future_ms=int(settings.future_s * 1000),
        retention_ms=int(settings.retention_days * _DAY_MS),
    )


class _Late:
    """Stands for the consumer, which Faust makes only when it starts."""

    def __init__(self, get: Any) -> None:
        self._get = get

    def __getattr__(self, name: str) -> Any:
        return getattr(self._get(), name)


def _faust_app(settings: Settings) -> StreamApp:
    servers = settings.bootstrap_servers.split(",")
    return StreamApp(
        settings.app_id,
        broker=";".join(f"{transport.SCHEME}://{server}" for server in servers),
        store=f"{store.SCHEME}://",
        datadir=Path(tempfile.gettempdir()) / f"{settings.app_id}-faust",
        autodiscover=False,
        broker_credentials=_credentials(settings.client_options()),
        # Static membership: whoever comes back under its name within the session timeout finds its
        # partitions as they were, and the others are not disturbed.
        consumer_group_instance_id=settings.instance_id,
        broker_session_timeout=settings.session_timeout_s,
        broker_heartbeat_interval=settings.session_timeout_s / 10,
        # How long a join waits for members that died: no longer than they are given to come back.
        broker_rebalance_timeout=settings.session_timeout_s,
        broker_request_timeout=max(settings.request_timeout_s, settings.session_timeout_s + 10),
        # Who has no partitions fetches nothing, and would leave the group for good after this.
        broker_max_poll_interval=_CENTURY_S,
        consumer_max_fetch_size=_MAX_FETCH_BYTES,
        consumer_auto_offset_reset="earliest",
        stream_recovery_delay=0.0,
        stream_wait_empty=False,
        stream_buffer_maxsize=64,
        table_standby_replicas=settings.standby_replicas,
        PartitionAssignor=FollowingAssignor,
        table_cleanup_interval=86_400.0,
        topic_allow_declare=False,
        topic_disable_leader=True,
        topic_partitions=settings.partitions,
        # The HTTP port is our own: Faust's would show tables and routes to whoever asks.
        web_enabled=False,
    )


def _credentials(options: Mapping[str, Any]) -> Any:
    """Return what other clients take as arguments in the form that Faust's consumer takes."""
    context = options.get("ssl_context")
    if "sasl_oauth_token_provider" in options:
        return OAuthCredentials(oauth_cb=options["sasl_oauth_token_provider"], ssl_context=context)
    if "sasl_mechanism" in options:
        return faust.SASLCredentials(
            username=options["sasl_plain_username"],
            password=options["sasl_plain_password"],
            mechanism=options["sasl_mechanism"],
            ssl_context=context,
        )
    return faust.SSLCredentials(context) if context is not None else None


def _new_writer(settings: Settings, number: int) -> TransactionWriter:
    return TransactionWriter(
        settings.client_options(),
        f"{settings.app_id}-{number}",
        number,
        timeout_s=settings.transaction_timeout_s,
        request_timeout_s=settings.request_timeout_s,
        compression=settings.codec,
        single=(settings.training_topic,),
    )


def _new_reader(settings: Settings, metrics: Metrics, take: Take) -> ModelReader:
    options, topic, wait_s = (
        settings.client_options(),
        settings.models_topic,
        settings.request_timeout_s,
    )
    return ModelReader(
        lambda: Log(options, topic, wait_s), settings.restore_timeout_s, metrics, take, end_process
    )


def _stores(settings: Settings) -> Stores | None:
    """Where profiles lie that are too many for memory; None where none are."""
    if not settings.max_resident_users or settings.state_dir is None:
        return None
    folder = Path(settings.state_dir) / settings.app_id
    return Stores(folder, settings.changelog_topic, settings.max_resident_users)


async def _restore(
    app: StreamApp,
    settings: Settings,
    stores: Stores | None,
    turns: Turns,
    progress: Callable[[], None],
    number: int,
    program: Program,
) -> Loader:
    return await restore(
        settings.client_options(),
        TopicPartition(settings.changelog_topic, number),
        program,
        settings.partitions,
        settings.restore_timeout_s,
        progress,
        turns,
        stores,
        app.standbys.take(number, program),
    )


def _new_standby(
    settings: Settings, stores: Stores | None, around: Surroundings, number: int
) -> Standby:
    changelog = TopicPartition(settings.changelog_topic, number)
    return Standby(
        number,
        around.program,
        lambda program: open_copy(stores, program, number, settings.partitions),
        lambda: Reader(
            settings.client_options(), changelog, _STANDBY_FETCH_BYTES, _STANDBY_WAIT_MS
        ),
        around.turns,
    )


def _rejoin(app: StreamApp) -> None:
    """Have the group place its partitions anew: what this member tells has changed."""
    app.consumer._thread._ensure_consumer()._coordinator.request_rejoin()


def __getattr__(name: str) -> Any:
    if name == "app":
        return create_app(resolve())
    raise AttributeError(name)
