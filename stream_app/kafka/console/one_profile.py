"""One user's profile, read from the changelog without any worker."""

from __future__ import annotations

import asyncio
from typing import Final

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from stream_app.engine.catalogue import Program
from stream_app.engine.changelog import ChangelogError, Loader
from stream_app.engine.profiles import Profiles
from stream_app.kafka.errors import Fatal
from stream_app.kafka.topics import TopicPlan, ensure_topics, found_of
from stream_app.settings import Settings

_POLL_MS: Final = 200
_AT_ONCE: Final = 5_000


class ProfileError(Exception):
    """There is no such profile; the message says where it was looked for, and what to check."""


async def one_profile(settings: Settings, program: Program, user: str) -> Profiles:
    """The profile of `user` alone, as it is committed now, under this program.

    Reads the user's partition of the changelog once, and keeps nothing of other users. Raises
    ProfileError without such a user, Fatal when no record comes for `restore_timeout_s`, and
    aiokafka's KafkaError when no broker answers.
    """
    partitions = await _partitions(settings)
    number = program.partitioner(user.encode(), partitions)
    changelog = TopicPartition(settings.changelog_topic, number)
    loader = Loader(program, number, partitions)
    await _read(settings, changelog, loader, user.encode())
    try:
        profiles = loader.finish()
    except ChangelogError as error:
        raise ProfileError(str(error)) from error
    if user not in profiles.slots:
        raise ProfileError(
            f"there is no profile of {user!r} on partition {number} of {changelog.topic}: profiles "
            "are by the key of events, letter by letter. Has an event of this user been read "
            f"(`stream-app tail --from-beginning --until-end --user {user}`), is "
            f"STREAM_APP_APP_ID={settings.app_id} the worker's, and is `partitioner: "
            f"{program.shop.partitioner}` in the catalogue that of the producers?"
        )
    return profiles


async def _partitions(settings: Settings) -> int:
    findings = await ensure_topics(settings.client_options(), TopicPlan.of(settings), create=False)
    found = found_of(findings, settings.changelog_topic)
    if found is not None:
        return found.partitions
    raise ProfileError(
        f"no topic {settings.changelog_topic} on {settings.bootstrap_servers}: has a worker with "
        f"STREAM_APP_APP_ID={settings.app_id} been running there?"
    )


async def _read(settings: Settings, changelog: TopicPartition, loader: Loader, user: bytes) -> None:
    consumer: AIOKafkaConsumer = AIOKafkaConsumer(
        **settings.client_options(),
        group_id=None,
        enable_auto_commit=False,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
    )
    timeout_s, loop = settings.restore_timeout_s, asyncio.get_running_loop()
    await consumer.start()
    try:
        async with asyncio.timeout(timeout_s) as limit:
            consumer.assign([changelog])
            # The end as it is now, so that a busy partition cannot keep the reader for ever.
            end = (await consumer.end_offsets([changelog]))[changelog]
            while await consumer.position(changelog) < end:
                polled = await consumer.getmany(timeout_ms=_POLL_MS, max_records=_AT_ONCE)
                for records in polled.values():
                    limit.reschedule(loop.time() + timeout_s)
                    # What begins with a zero byte is the engine's own: offsets, layouts, strings.
                    loader.add(
                        [
                            (record.key, record.value)
                            for record in records
                            if record.key == user or record.key[:1] == b"\0"
                        ]
                    )
    except TimeoutError as error:
        raise Fatal(f"{changelog.topic}: no record was read for {timeout_s:.0f} s") from error
    finally:
        await consumer.stop()
