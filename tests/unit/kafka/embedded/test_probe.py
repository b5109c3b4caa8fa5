from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from stream_app.kafka.embedded import probe


def test_nobody_answers_where_nobody_listens() -> None:
    assert probe.cluster_of(f"127.0.0.1:{probe.free_port()}", 1) is None


def test_who_asks_while_another_asks_leaves_the_log_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As the brokers of a cluster do while they start: the first ends before the second."""
    logger = logging.getLogger("aiokafka")
    before = logger.level
    asked = {"first": Event(), "second": Event()}
    ended = Event()

    async def cluster(bootstrap_servers: str, seconds: float) -> str:
        asked[bootstrap_servers].set()
        assert (asked["second"] if bootstrap_servers == "first" else ended).wait(5)
        assert logger.level == logging.CRITICAL
        return bootstrap_servers

    monkeypatch.setattr(probe, "_cluster", cluster)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(probe.cluster_of, "first")
        assert asked["first"].wait(5)
        second = pool.submit(probe.cluster_of, "second")
        assert first.result() == "first"
        ended.set()
        assert second.result() == "second"
    assert logger.level == before
