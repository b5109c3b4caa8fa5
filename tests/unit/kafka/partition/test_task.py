"""A partition's life: every transition of the state table, on fakes.

Traps of DESIGN covered here: 4 (a queue survives no revoke), 6 (opening is bounded by a third of
the session), 11 (draining is bounded).
"""

from __future__ import annotations

import asyncio

import pytest
from aiokafka.errors import IllegalStateError
from support.clicks import START, click, purchase
from support.partition import CLICKS, PURCHASES, Partition, program, records, settle

from stream_app.kafka.errors import Fatal, Refusal
from stream_app.kafka.input_topics.lag import KNOWN_MS
from stream_app.kafka.partition.states import IllegalTransition, State

BOTH = {CLICKS, PURCHASES}


async def busy(**settings) -> Partition:
    """A running task whose commit is held."""
    partition = Partition(**settings)
    task = await partition.started()
    partition.writer.gate.clear()
    task.offer(0, records([click("ann", 0)]))
    await partition.writer.writing.wait()
    return partition


async def test_created_restores_and_runs():
    partition = Partition(session_timeout_s=30)
    assert partition.task.state is State.CREATED
    partition.restoring.clear()
    partition.task.start()
    await settle()
    assert partition.task.state is State.RESTORING
    assert not partition.inputs.opened
    partition.restoring.set()
    await settle()
    assert partition.task.state is State.RUNNING
    assert partition.inputs.opened == BOTH
    assert partition.inputs.seeks == [(CLICKS, 0), (PURCHASES, 0)]
    # Longer, and the broker would evict the worker while it has no heartbeat.
    assert partition.writer.opened == [10.0]


async def test_records_are_folded_committed_and_followed_by_next_offsets():
    partition = Partition()
    partition.inputs.bounds = {CLICKS: (4, 100), PURCHASES: (7, 100)}
    task = await partition.started()
    task.offer(0, records([click("ann", 0), b"{"], first=4))
    task.offer(1, records([purchase("ann", 0)], first=7))
    await settle()
    assert task.rounds.next == [6, 8]
    assert partition.load().meta.next == {"clicks": 6, "purchases": 8}
    assert not partition.failed


async def test_a_record_below_the_next_offset_is_dropped_and_one_offered_while_not_running_too():
    partition = Partition()
    task = await partition.started()
    for _ in range(2):
        task.offer(0, records([click("ann", 0), click("ann", 1)]))
        await settle()
    await task.revoke()
    task.offer(0, records([click("ann", 2)], first=2))
    await settle()
    assert len(partition.log) == 1
    assert partition.load().profiles.read("ann")["clicks_24h"] == 2


async def test_revoke_while_running_parks_and_assign_goes_on_at_next_offsets():
    partition = Partition()
    task = await partition.started()
    task.offer(0, records([click("ann", 0)]))
    await settle()
    await task.revoke()
    assert task.state is State.PARKED
    assert not partition.inputs.opened
    await task.revoke()
    assert task.state is State.PARKED
    partition.inputs.seeks.clear()
    await task.assign()
    assert task.state is State.RUNNING
    assert partition.inputs.opened == BOTH
    assert partition.inputs.seeks == [(CLICKS, 1), (PURCHASES, 0)]
    assert len(partition.writer.opened) == 1


async def test_revoke_waits_for_the_open_transaction_and_drops_the_queue():
    partition = await busy()
    task = partition.task
    task.offer(0, records([click("ann", 1)], first=1))
    revoking = asyncio.create_task(task.revoke())
    await settle()
    assert task.state is State.DRAINING
    assert not revoking.done()
    partition.writer.gate.set()
    await revoking
    assert task.state is State.PARKED
    assert task.rounds.queue.records == 0
    assert task.rounds.next == [1, 0]
    assert partition.load().meta.next["clicks"] == 1
    await settle()
    assert not partition.inputs.opened


async def test_a_drain_that_takes_too_long_ends_the_worker():
    partition = await busy(drain_timeout_s=0.01)
    with pytest.raises(Fatal, match="partition 0 did not drain within"):
        await partition.task.revoke()
    assert partition.log == []


async def test_a_partition_revoked_while_restoring_parks_and_is_not_read():
    partition = Partition()
    partition.restoring.clear()
    task = await partition.started()
    await task.revoke()
    assert task.state is State.RESTORING
    partition.restoring.set()
    await settle()
    assert task.state is State.PARKED
    assert not partition.inputs.opened
    assert partition.inputs.seeks == []
    await task.assign()
    assert task.state is State.RUNNING


async def test_a_partition_that_comes_back_while_restoring_runs_when_restored():
    partition = Partition()
    partition.restoring.clear()
    task = await partition.started()
    await task.revoke()
    await task.assign()
    assert task.state is State.RESTORING
    partition.restoring.set()
    await settle()
    assert task.state is State.RUNNING


@pytest.mark.parametrize("at", ["created", "restoring", "running", "parked"])
async def test_stop_ends_the_task_wherever_it_is(at):
    partition = Partition()
    task = partition.task
    if at != "created":
        if at == "restoring":
            partition.restoring.clear()
        await partition.started()
    if at == "parked":
        await task.revoke()
    assert task.state == at
    await task.stop()
    assert task.state is State.DEAD
    assert partition.writer.closed
    assert task.rounds is None
    assert not partition.inputs.opened
    assert not partition.failed


async def test_stop_commits_what_is_under_way():
    partition = await busy()
    stopping = asyncio.create_task(partition.task.stop())
    await settle()
    assert not partition.writer.closed
    partition.writer.gate.set()
    await stopping
    assert partition.load().meta.next["clicks"] == 1


async def test_a_dead_task_does_not_start():
    partition = Partition()
    await partition.task.stop()
    with pytest.raises(IllegalTransition):
        partition.task.start()


@pytest.mark.parametrize("when", ["opening", "restoring", "writing"])
async def test_any_failure_ends_the_process(when):
    partition = Partition()
    error = Fatal("broken")
    if when == "restoring":
        partition.inputs.bounds = {}
    if when == "opening":
        partition.writer.error = error
    task = await partition.started()
    if when == "writing":
        partition.writer.error = error
        task.offer(0, records([click("ann", 0)]))
        await settle()
        # What failed is not counted as done.
        assert task.rounds.next == [0, 0]
    assert task.state is State.DEAD
    assert len(partition.failed) == 1
    if when != "restoring":
        assert partition.failed == [error]


async def test_fetching_pauses_when_enough_waits_and_goes_on_when_it_was_done():
    partition = await busy(queue_records=2)
    task = partition.task
    task.offer(0, records([click("ann", n) for n in range(1, 4)], first=1))
    assert not partition.inputs.opened
    partition.writer.gate.set()
    await settle()
    assert partition.inputs.opened == BOTH
    assert task.rounds.next == [4, 0]


async def test_what_was_committed_decides_where_the_next_owner_reads():
    first = Partition()
    (await first.started()).offer(0, records([click("ann", n) for n in range(3)]))
    await settle()
    second = Partition()
    second.log.extend(first.log)
    await second.started()
    assert second.inputs.seeks == [(CLICKS, 3), (PURCHASES, 0)]


async def test_a_catalogue_that_came_while_restoring_is_taken_up():
    partition = Partition()
    partition.restoring.clear()
    await partition.started()
    partition.program = program("features: {n: {count: any, window: 24h}}\ntags: {}\n")
    partition.restoring.set()
    await settle()
    assert partition.task.rounds.profiles.program is partition.program


@pytest.mark.parametrize(("first", "accept"), [(0, False), (3, False), (3, True)])
async def test_a_gap_in_the_log_is_looked_into(first, accept, caplog):
    """Markers of the producers' transactions leave harmless gaps; retention does not."""
    partition = Partition(accept_gaps=accept)
    task = await partition.started()
    partition.inputs.bounds[CLICKS] = (first, 9)
    task.offer(0, records([click("ann", 0)], first=3))
    await settle()
    if first and not accept:
        assert task.state is State.DEAD
        assert isinstance(partition.failed[0], Refusal)
        assert "deleted 3 events unread" in str(partition.failed[0])
        assert partition.log == []
    elif first:
        assert task.rounds.next == [4, 0]
        assert "the 3 offsets from 0 to 2 are lost" in caplog.text
    else:
        assert task.rounds.next == [0, 0]
        task.offer(0, records([click("ann", 0)], first=3))
        await settle()
        assert task.rounds.next == [4, 0]


async def test_a_position_that_was_moved_past_records_is_sought_again():
    partition = Partition()
    task = await partition.started()
    partition.inputs.seeks.clear()
    task.offer(0, records([click("ann", n) for n in (3, 4)], first=3))
    await settle()
    assert partition.log == []
    assert partition.inputs.seeks == [(CLICKS, 0), (PURCHASES, 0)]
    assert partition.inputs.opened == BOTH
    task.offer(0, records([click("ann", n) for n in range(5)]))
    await settle()
    assert partition.load().profiles.read("ann")["clicks_24h"] == 5
    assert task.rounds.next == [5, 0]


async def test_a_gap_after_a_seek_is_believed_when_it_is_met_twice_the_same():
    partition = Partition()
    task = await partition.started()
    for first in (5, 3):
        task.offer(0, records([click("ann", n) for n in range(first, 6)], first=first))
        await settle()
        assert task.rounds.next == [0, 0]
    task.offer(0, records([click("ann", n) for n in range(3, 6)], first=3))
    await settle()
    assert task.rounds.next == [6, 0]


async def test_what_was_fetched_before_it_is_sought_again_does_not_join_the_queue(monkeypatch):
    partition = Partition()
    task = await partition.started()
    seek = partition.inputs.seek

    async def late(tp, offset):
        task.offer(0, records([click("ann", 5)], first=5))
        await seek(tp, offset)

    monkeypatch.setattr(partition.inputs, "seek", late)
    task.offer(0, records([click("ann", n) for n in (3, 4)], first=3))
    await settle()
    assert task.rounds.queue.records == 0
    task.offer(0, records([click("ann", n) for n in range(6)]))
    await settle()
    assert partition.load().profiles.read("ann")["clicks_24h"] == 6


async def ticks(partition: Partition, n: int) -> None:
    """So many seconds pass, each with a fetch."""
    for _ in range(n):
        partition.now += 1_000
        partition.inputs.at += 1_000
        await partition.task.tick()
        await settle()


async def test_records_that_were_delivered_and_dropped_are_read_again(caplog):
    partition = Partition()
    task = await partition.started()
    partition.inputs.seeks.clear()
    partition.inputs.positions[CLICKS] = 3
    await ticks(partition, 1)
    # They may be on their way to the queue.
    assert partition.inputs.seeks == []
    await ticks(partition, 1)
    assert partition.inputs.seeks == [(CLICKS, 0), (PURCHASES, 0)]
    assert partition.inputs.opened == BOTH
    task.offer(0, records([click("ann", n) for n in range(3)]))
    await settle()
    assert partition.load().profiles.read("ann")["clicks_24h"] == 3
    assert "records from offset 0 on had been read and not folded" in caplog.text


async def test_what_holds_nothing_is_read_again_once(caplog):
    partition = Partition()
    task = await partition.started()
    task.offer(0, records([click("ann", 0)]))
    await settle()
    partition.inputs.seeks.clear()
    # A marker lies behind the record.
    partition.inputs.positions[CLICKS] = 2
    await ticks(partition, 9)
    assert partition.inputs.seeks == [(CLICKS, 1), (PURCHASES, 0)]
    task.offer(0, records([click("ann", 2)], first=2))
    await settle()
    # Both times nothing was found there.
    assert len(partition.inputs.seeks) == 2
    assert task.rounds.next == [3, 0]
    assert "had been read" not in caplog.text


async def test_a_gap_right_after_reading_again_is_not_believed_at_once():
    partition = Partition()
    task = await partition.started()
    task.offer(0, records([click("ann", 0)]))
    await settle()
    partition.inputs.positions[CLICKS] = 2
    await ticks(partition, 2)
    partition.inputs.seeks.clear()
    for _ in range(2):
        assert task.rounds.next == [1, 0]
        task.offer(0, records([click("ann", 4)], first=4))
        await settle()
    assert partition.inputs.seeks == [(CLICKS, 1), (PURCHASES, 0)]
    assert task.rounds.next == [5, 0]


async def test_where_no_broker_answers_reading_goes_on_as_it_was(monkeypatch):
    partition = Partition()
    await partition.started()

    async def silence(tp, offset):
        raise TimeoutError

    with monkeypatch.context() as patch:
        patch.setattr(partition.inputs, "seek", silence)
        partition.inputs.positions[CLICKS] = 2
        await ticks(partition, 2)
    assert partition.inputs.opened == BOTH
    assert not partition.failed
    partition.inputs.seeks.clear()
    await ticks(partition, 2)
    assert partition.inputs.seeks == [(CLICKS, 0), (PURCHASES, 0)]


async def test_a_lag_is_not_told_for_long_after_the_last_fetch():
    partition = Partition()
    await partition.started()
    partition.inputs.positions = {CLICKS: 0, PURCHASES: 0}
    await ticks(partition, 2)

    def lag() -> float | None:
        labels = {"topic": "clicks", "partition": "0"}
        return partition.metrics.registry.get_sample_value("stream_app_lag", labels)

    assert lag() == 0
    for seconds, known in ((KNOWN_MS // 1000, True), (1, False)):
        # The brokers are away; a wall clock that is set changes nothing.
        partition.now += seconds * 1_000
        partition.ahead += 3_600_000
        await partition.task.tick()
        assert (lag() is not None) == known
    await ticks(partition, 1)
    assert lag() == 0
    partition.inputs.positions[CLICKS] = TimeoutError()
    partition.now += KNOWN_MS + 1_000
    await partition.task.tick()
    assert lag() is None


async def test_inputs_of_transactions_are_sought_again_once_an_assignment():
    """Such a producer leaves a marker between any two batches."""
    partition = Partition()
    task = await partition.started()

    async def batch(first: int) -> None:
        for topic, made in enumerate((click, purchase)):
            task.offer(topic, records([made("ann", first)], first=first))
            await settle()

    for begin in (0, 10):
        assert task.rounds.next == [begin, begin]
        partition.inputs.seeks.clear()
        await batch(begin + 1)
        assert task.rounds.next == [begin, begin]
        for first in (1, 3, 5, 7, 9):
            await batch(begin + first)
        assert len(partition.inputs.seeks) == 4
        await task.revoke()
        await task.assign()


async def test_next_offsets_before_the_first_record_kept_are_refused_or_accepted():
    for accept in (False, True):
        partition = Partition(accept_gaps=accept)
        (await partition.started()).offer(0, records([click("ann", 0)]))
        await settle()
        later = Partition(accept_gaps=accept)
        later.log.extend(partition.log)
        later.inputs.bounds[CLICKS] = (5, 9)
        await later.started()
        if accept:
            assert later.inputs.seeks == [(CLICKS, 5), (PURCHASES, 0)]
        else:
            assert isinstance(later.failed[0], Refusal)


async def test_reading_that_falls_back_means_that_the_topic_was_made_anew():
    partition = Partition()
    task = await partition.started()
    task.offer(0, records([click("ann", n) for n in range(3)]))
    await settle()
    partition.inputs.positions = {CLICKS: 3, PURCHASES: 0}
    await task.tick()
    partition.inputs.positions[CLICKS] = 0
    with pytest.raises(Fatal, match="fell from offset 3 to 0"):
        await task.tick()
    partition.inputs.bounds[CLICKS] = (0, 0)
    with pytest.raises(Refusal, match="deleted and made anew"):
        await task.tick()


@pytest.mark.parametrize("error", [IllegalStateError("not assigned"), TimeoutError()])
async def test_a_rebalance_while_the_position_is_asked_for_is_no_failure(error):
    partition = Partition()
    task = await partition.started()
    partition.inputs.positions[CLICKS] = error
    await task.tick()
    assert task.state is State.RUNNING


async def test_time_passes_with_the_wall_clock_only_when_caught_up():
    partition = Partition(clock="wall")
    task = await partition.started()
    task.offer(0, records([click("ann", 0)]))
    await settle()
    partition.now = START + 1_000
    partition.inputs.positions = {CLICKS: 1, PURCHASES: 0}
    assert task.rounds.profiles.time == START
    await task.tick()
    await settle()
    assert task.rounds.profiles.time == START + 1_000
    partition.now = START + 60_000
    await task.tick()
    await settle()
    # The last fetch is too old to say that nothing was written meanwhile.
    assert task.rounds.profiles.time == START + 1_000


async def test_time_does_not_follow_a_wall_clock_that_was_set():
    partition = Partition(clock="wall")
    task = await partition.started()
    partition.inputs.positions = {CLICKS: 1, PURCHASES: 0}
    task.offer(0, records([click("ann", 0)]))
    await task.tick()
    await settle()
    for partition.ahead in (2_000, 5 * 3_600_000):
        # The last fetch was just now, by whatever clock.
        partition.inputs.at = partition.now + partition.ahead
        await task.tick()
        await settle()
    assert task.rounds.profiles.time == START + 2_000
