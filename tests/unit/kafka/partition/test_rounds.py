"""A round's outputs are one transaction: rows, offsets, changes, states, dead letters, strings."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest
from support.clicks import CATALOGUE, DAY, START, click, purchase
from support.learned import TEXT, learned, model, models, segments
from support.partition import Partition, program, records, settle

from stream_app.engine.changelog import META, encode_layout
from stream_app.engine.models import Models
from stream_app.kafka.errors import Refusal
from stream_app.kafka.partition.rounds import KEEP_ALIVE_MS
from stream_app.kafka.partition.task import PartitionTask

CHANGELOG = "stream_app-profiles-changelog"
MORE = CATALOGUE.replace("features:\n", "features:\n  active: {active_days: any, window: 7d}\n")
LEARNING = f"""{CATALOGUE}
learning:
  segments: {{features: [clicks_24h], rate: 1}}
"""
STRICT = CATALOGUE.replace("clicks_24h >= 1", "clicks_24h >= 2")


async def folded(
    partition: Partition, *values: bytes, topic: int = 0, at: int = START
) -> dict[str, list]:
    """The one transaction that these records made."""
    task, before = partition.task, len(partition.log)
    task.offer(topic, records(values, first=task.rounds.next[topic], at=at))
    await settle()
    assert not partition.failed, partition.failed
    [made] = partition.log[before:]
    return made


def keys(outgoing) -> list[bytes]:
    return [record.key for record in outgoing]


def meta(outputs) -> dict:
    [found] = [record.value for record in outputs[CHANGELOG] if record.key == META]
    return json.loads(found)


@pytest.fixture
async def partition() -> Partition:
    made = Partition()
    await made.started()
    return made


async def test_everything_of_a_round_is_in_one_transaction(partition):
    look = {"type": "view_item", "item_category": "shoes"}
    made = await folded(partition, click("ann", 0, **look), b"{", click("bob", 1))
    assert made.keys() == {CHANGELOG, "tags", "tag-state", "dead-letters"}
    layout = encode_layout(partition.program.layout)[0]
    assert keys(made[CHANGELOG]) == [META, b"\0string:1", layout, b"ann", b"bob"]
    assert keys(made["tags"]) == [b"ann", b"ann", b"bob"]
    assert keys(made["tag-state"]) == [b"ann", b"bob"]
    [letter] = made["dead-letters"]
    assert letter.value == b"{"
    assert dict(letter.headers)["offset"] == b"1"
    assert meta(made)["next"] == {"clicks": 3, "purchases": 0}
    assert meta(made)["time"] == START
    assert meta(made)["strings"] == len(partition.task.rounds.profiles.dictionary)


async def test_the_layout_is_written_once_and_not_again_after_a_restart(partition):
    layout = encode_layout(partition.program.layout)[0]
    first = await folded(partition, click("ann", 0))
    second = await folded(partition, click("ann", 1))
    assert layout in keys(first[CHANGELOG])
    assert layout not in keys(second[CHANGELOG])
    later = Partition()
    later.log.extend(partition.log)
    await later.started()
    assert layout not in keys((await folded(later, click("ann", 2)))[CHANGELOG])


async def test_a_round_without_changes_writes_rows_and_offsets_only(partition):
    await folded(partition, click("ann", 0))
    assert (await folded(partition, click("ann", 1))).keys() == {CHANGELOG}


async def test_a_round_of_bad_records_moves_the_offsets_too(partition):
    made = await folded(partition, b"{", b"[")
    assert keys(made[CHANGELOG])[0] == META
    assert meta(made)["next"]["clicks"] == 2
    assert len(made["dead-letters"]) == 2


async def test_a_round_is_told_to_who_traces() -> None:
    partition, told = Partition(), []
    partition.task = PartitionTask(0, replace(partition.around, trace=told.append))
    await partition.started()
    made = await folded(partition, click("ann", 0), click("bob", 1), click("bob", 1), b"{")
    [times] = told
    changes = len(made["tags"])
    assert (times.partition, times.events, times.rows, times.changes) == (0, 4, 2, changes)
    assert times.begun <= times.taken <= times.folded <= times.committed


async def test_nothing_to_do_commits_nothing_until_the_transactional_id_would_be_forgotten(
    partition,
):
    """Trap 5: an id that is not used for a week is forgotten by the broker."""
    rounds = partition.task.rounds
    rounds.look_for_due()
    await rounds.run(rounds.take(), 0)
    assert partition.log == []
    partition.now += KEEP_ALIVE_MS + 1
    await rounds.run(rounds.take(), 0)
    [made] = partition.log
    assert META in keys(made[CHANGELOG])
    assert rounds.committed_at == partition.now


async def test_another_catalogue_of_the_same_layout_decides_every_row_anew(partition):
    await folded(partition, click("ann", 0), click("bob", 1))
    rounds = partition.task.rounds
    rounds.adopt(program(STRICT))
    assert rounds.waiting
    await rounds.run(rounds.take(), 0)
    made = partition.log[-1]
    assert keys(made["tags"]) == [b"ann", b"bob"]
    assert not any(key.startswith(b"\0layout") for key in keys(made[CHANGELOG]))
    assert json.loads(made["tags"][0].value)["action"] == "removed"


async def test_other_models_decide_every_row_anew_between_two_rounds():
    partition = Partition(TEXT)
    task = await partition.started()
    await folded(partition, click("ann", 0), click("bob", 1))
    task.rounds.use_models(models(learned()))
    assert task.rounds.waiting
    made = await folded(partition, click("cid", 2))
    tagged = [json.loads(r.value) for r in made["tags"] if b'"class":"segment"' in r.value]
    assert [(c["user_id"], c["value"]) for c in tagged] == [
        (u, "s1") for u in ("ann", "bob", "cid")
    ]
    assert json.loads(made["tag-state"][0].value)["tags"]["segments"]["value"] == "s1"


async def restarted(partition: Partition, use: Models | None) -> Partition:
    """The partition's next owner, who begins with the models `use`."""
    later = Partition(TEXT)
    later.log.extend(partition.log)
    later.models = use
    await later.started()
    assert not later.failed
    return later


@pytest.fixture
async def judged() -> Partition:
    """A partition all of whose rows were decided by models."""
    made = Partition(TEXT)
    made.models = models(learned())
    await made.started()
    await folded(made, click("ann", 0), click("bob", 1))
    return made


async def test_rows_that_the_same_models_decided_are_left_alone_by_the_next_owner(judged):
    later = await restarted(judged, models(learned()))
    assert len(later.log) == len(judged.log)
    assert (await folded(later, click("ann", 2)))[CHANGELOG][-1].key == b"ann"
    assert later.task.rounds.profiles.models is not None


async def test_rows_that_other_models_decided_are_decided_anew_by_the_next_owner(judged):
    other = models(learned(), stays=None, segments=model("segments", segments(0.0, 9.0), 4))
    later = await restarted(judged, other)
    assert [key for key in keys(later.log[-1][CHANGELOG]) if key[:1] != b"\0"] == [b"ann", b"bob"]
    again = await restarted(later, other)
    assert len(again.log) == len(later.log)


async def test_a_meta_of_an_earlier_version_has_rows_decided_anew(judged):
    for outputs in judged.log:
        for i, record in enumerate(outputs[CHANGELOG]):
            if record.key == META:
                found = json.loads(record.value)
                del found["models"]
                outputs[CHANGELOG][i] = record._replace(value=json.dumps(found).encode())
    assert len((await restarted(judged, models(learned()))).log) == len(judged.log) + 1


async def test_what_was_decided_without_models_is_decided_anew_with_them(judged):
    later = await restarted(judged, None)
    await folded(later, click("cid", 2))
    again = await restarted(later, models(learned()))
    tagged = [json.loads(record.value) for record in again.log[-1]["tags"]]
    assert {change["user_id"] for change in tagged} == {"cid"}


async def test_rows_half_decided_by_others_are_all_decided_anew(judged, monkeypatch):
    rounds = judged.task.rounds
    rounds.use_models(models(learned(), stays=None))
    monkeypatch.setattr("stream_app.kafka.partition.rounds.DUE_LIMIT", 1)
    await rounds.run(rounds.take(), 0)
    monkeypatch.undo()
    for use in (models(learned(), stays=None), models(learned())):
        later = await restarted(judged, use)
        assert {b"ann", b"bob"} <= set(keys(later.log[-1][CHANGELOG]))


async def test_another_layout_is_written_before_the_first_row_that_uses_it(partition):
    await folded(partition, click("ann", 0), click("bob", 1))
    rounds = partition.task.rounds
    rounds.adopt(program(MORE))
    made = await folded(partition, click("ann", 2))
    layout = encode_layout(program(MORE).layout)[0]
    written = keys(made[CHANGELOG])
    assert written.index(layout) < written.index(b"ann")
    assert written.count(b"bob") == 1
    profiles = partition.load(program(MORE)).profiles
    assert profiles.read("ann")["clicks_24h"] == 2
    # Only what happened under the new catalogue is known of the new feature.
    assert (profiles.read("ann")["active"], profiles.read("bob")["active"]) == (1, 0)


async def test_a_catalogue_that_changed_between_runs_decides_every_row_anew(partition):
    await folded(partition, click("ann", 0))
    later = Partition()
    later.log.extend(partition.log)
    later.program = program(STRICT)
    await later.started()
    assert keys(later.log[-1]["tags"]) == [b"ann"]
    unchanged = Partition()
    unchanged.log.extend(later.log)
    unchanged.program = program(STRICT)
    await unchanged.started()
    assert len(unchanged.log) == len(later.log)


async def test_a_restart_amid_deciding_anew_starts_over(partition, monkeypatch):
    await folded(partition, *(click(f"u{n}", n) for n in range(5)))
    monkeypatch.setattr("stream_app.kafka.partition.rounds.DUE_LIMIT", 2)
    rounds = partition.task.rounds
    rounds.adopt(program(STRICT))
    rounds.count_some()
    await rounds.run(rounds.take(), 0)
    assert rounds.waiting
    assert partition.load(program(STRICT)).profiles.due.tolist() == [0] * 5
    for _ in range(2):
        await rounds.run(rounds.take(), 0)
    assert partition.load(program(STRICT)).profiles.due.min() > 0
    assert not rounds.waiting


async def test_over_the_budget_nothing_is_committed():
    partition = Partition(dead_letter_run=4, dead_letter_share=0.5)
    task = await partition.started()
    task.offer(0, records([click("ann", 0), b"{", b"{", b"{"]))
    await settle()
    assert partition.log == []
    assert isinstance(partition.failed[0], Refusal)
    assert "3 of the last 4 events were refused" in str(partition.failed[0])


async def test_what_was_committed_is_counted_and_what_failed_is_not(partition):
    await folded(partition, click("ann", 0), click("ann", 0), b"{")
    await folded(partition, purchase("ann", 0), topic=1)
    read = partition.metrics.registry.get_sample_value
    assert read("stream_app_events_total", {"topic": "clicks"}) == 3
    assert read("stream_app_events_total", {"topic": "purchases"}) == 1
    assert read("stream_app_duplicates_total", {"topic": "clicks"}) == 1
    assert read("stream_app_rejected_total", {"reason": "malformed"}) == 1
    assert read("stream_app_transactions_total", {"outcome": "committed"}) == 2
    assert read("stream_app_users", {"partition": "0"}) == 1
    partition.writer.error = Refusal("no")
    partition.task.offer(0, records([click("ann", 5)], first=3))
    await settle()
    assert read("stream_app_events_total", {"topic": "clicks"}) == 3


async def test_a_catalogue_that_comes_during_a_commit_does_not_change_that_round(partition):
    partition.writer.gate.clear()
    partition.task.offer(0, records([click("ann", 0)]))
    await partition.writer.writing.wait()
    partition.task.rounds.adopt(program(STRICT))
    partition.writer.gate.set()
    await settle()
    first, second = partition.log
    assert [json.loads(r.value)["action"] for r in first["tags"]] == ["added"]
    assert [json.loads(r.value)["action"] for r in second["tags"]] == ["removed"]
    assert meta(first)["revision"] != meta(second)["revision"]
    await asyncio.sleep(0)


async def test_samples_of_a_day_end_are_written_with_the_round_and_the_feed_is_remembered():
    learning = Partition(catalogue=LEARNING)
    await learning.started()
    late = START + 3 * DAY
    made = await folded(learning, click("ann", 0), at=late)
    assert "training" not in made
    assert (meta(made)["seen"], meta(made)["pause"]) == (START, 0)
    made = await folded(learning, click("ann", 1, at=late), at=late)
    kinds = [json.loads(record.value)["kind"] for record in made["training"]]
    assert kinds == ["example", "day"] * 2 + ["day"]
    assert (meta(made)["seen"], meta(made)["pause"]) == (late, 3 * DAY)
    again = Partition(catalogue=LEARNING)
    again.log.extend(learning.log)
    await again.started()
    feed = again.task.rounds.profiles.feed
    assert (feed.seen, feed.pause) == (late, 3 * DAY)
