from __future__ import annotations

from stream_app.health import Health


def states(health: Health) -> dict[str, bool]:
    return {condition.name: condition.holds for condition in health.ready()}


def restored_worker() -> Health:
    health = Health(stall_ms=60_000)
    health.connected(True)
    health.assigned([0, 1], now=0)
    health.restored(0, now=1_000)
    health.restored(1, now=2_000)
    return health


def test_a_new_worker_is_alive_but_not_ready() -> None:
    health = Health(stall_ms=60_000)
    assert health.live(now=10**9).holds
    assert states(health) == {"connected": False, "assigned": False, "restored": False}


def test_ready_when_connected_assigned_and_restored() -> None:
    health = Health(stall_ms=60_000)
    health.connected(True)
    health.assigned([0, 1], now=0)
    health.restored(0, now=5)
    assert states(health) == {"connected": True, "assigned": True, "restored": False}
    assert health.ready()[2].detail == "partitions 1 restore"
    health.restored(1, now=9)
    assert all(states(health).values())


def test_a_worker_without_partitions_is_a_ready_spare() -> None:
    health = Health(stall_ms=60_000)
    health.connected(True)
    health.assigned([], now=0)
    assert all(states(health).values())


def test_lost_brokers_end_readiness_only() -> None:
    health = restored_worker()
    health.connected(False)
    assert states(health) == {"connected": False, "assigned": True, "restored": True}
    assert health.live(now=10**9).holds


def test_a_partition_that_comes_back_is_restored_again() -> None:
    health = restored_worker()
    health.revoked([1])
    assert states(health)["assigned"] is False
    health.assigned([0, 1], now=3_000)
    assert health.ready()[2].detail == "partitions 1 restore"


def test_a_partition_that_stays_needs_no_restoring() -> None:
    health = restored_worker()
    health.assigned([0], now=3_000)
    assert all(states(health).values())


def test_a_partition_that_left_unannounced_is_restored_again() -> None:
    health = restored_worker()
    health.assigned([0], now=3_000)
    health.assigned([0, 1], now=4_000)
    assert states(health)["restored"] is False


def test_waiting_work_without_progress_is_a_stall() -> None:
    health = restored_worker()
    health.queued(0, 5, now=100_000)
    assert health.live(now=159_999).holds
    assert not health.live(now=160_000).holds
    assert "5 records wait" in health.live(now=160_000).detail
    health.progress(now=160_000)
    assert health.live(now=160_001).holds


def test_more_work_is_no_progress() -> None:
    health = restored_worker()
    for now in range(100_000, 160_001, 10_000):
        health.queued(0, 5, now)
    assert not health.live(now=160_000).holds


def test_no_work_is_no_stall() -> None:
    health = restored_worker()
    health.queued(0, 5, now=100_000)
    health.queued(0, 0, now=100_001)
    assert health.live(now=10**9).holds
    health.queued(0, 1, now=10**9)
    assert health.live(now=10**9 + 1).holds


def test_the_queue_of_a_lost_partition_is_not_waited_for() -> None:
    health = restored_worker()
    health.queued(1, 5, now=100_000)
    health.revoked([1])
    assert health.live(now=10**9).holds
    health.assigned([0], now=10**9)
    assert health.live(now=2 * 10**9).holds


def test_restoring_that_stands_still_is_a_stall() -> None:
    health = Health(stall_ms=60_000)
    health.assigned([0], now=0)
    health.progress(now=50_000)
    assert health.live(now=109_999).holds
    assert not health.live(now=110_000).holds
