"""Two workers and one worker, given the same snapshots at the same positions, say the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import pytest
from support.clicks import DAY, HOUR, START, click, purchase
from support.learned import TEXT, learned, logistic, model, segments, snapshots, trees
from support.partition import records

from stream_app.engine import Profiles, step
from stream_app.engine.changelog import Loader, Meta, encode_layout, encode_meta, encode_strings
from stream_app.engine.models import Models
from stream_app.engine.step import Step
from stream_app.learning.snapshot import Model, decode, encode
from stream_app.learning.training import Example
from stream_app.learning.training import decode as decode_training

PROGRAM = learned(TEXT + "  unusual: {features: [clicks_24h, spend_30d], top: 0.01}\n")
USERS = [f"user-{n}" for n in range(60)]
#: The events of a round come up to its time. Days end between rounds: within one, partition time
#: would be that of the partition's last event.
EVERY = 6 * HOUR
TIMES = [START + n * EVERY - 1 for n in range(1, 12)]
#: From which round on which snapshots are in use, as bytes on the topic.
FIRST, SECOND = 1, 5


def published() -> dict[int, dict[str, bytes]]:
    """The topic `models` by round."""
    scorers = [
        logistic("clicks_24h", "spend_30d", odds=0.15, weights=(w, 0.31)) for w in (0.83, 0.61)
    ]
    unusual = model("unusual_behaviour", trees(9.0), 3, thresholds=[0.5])
    first = snapshots(buys=model("buys", scorers[0], 1), unusual_behaviour=unusual)
    second = first | {
        "buys": model("buys", scorers[1], 2),
        "segments": model("segments", segments(0.2, 1.4, ids=("s2", "s3")), 4),
    }
    return {
        at: {task: encode(one) for task, one in some.items()}
        for at, some in ((FIRST, first), (SECOND, second))
    }


Timed = list[tuple[int, bytes]]


def events(seed: int) -> list[dict[str, tuple[Timed, Timed]]]:
    """Of each round, each user's clicks and purchases with their times."""
    random, number, found = np.random.default_rng(seed), 0, []
    for at in TIMES:
        of: dict[str, tuple[Timed, Timed]] = {}
        for user in USERS:
            clicks, purchases = random.poisson([2.0, 0.4]).tolist()
            times = (at - random.integers(0, EVERY, clicks + purchases)).tolist()
            number += 100
            of[user] = (
                [(t, click(user, number + i, at=t)) for i, t in enumerate(times[:clicks])],
                [
                    (t, purchase(user, number + 50 + i, at=t, value=19.9))
                    for i, t in enumerate(times[clicks:])
                ],
            )
        found.append(of)
    return found


class Worker:
    """A process with some of `partitions` partitions, and models that it has read by itself."""

    def __init__(self, partitions: int, mine: list[int], topic: dict[int, dict[str, bytes]]):
        self._partitions = partitions
        self._topic = topic
        self._profiles = {number: Profiles(PROGRAM, number, partitions) for number in mine}
        self._changelog: dict[int, list[Any]] = defaultdict(list)
        self._offsets = dict.fromkeys(mine, 0)

    def round(self, number: int, of: dict[str, Any]) -> Iterator[Step]:
        """Fold one round of all its partitions; what is published by then is in use."""
        if number in self._topic:
            models = self._compiled(number)
            for profiles in self._profiles.values():
                profiles.use_models(models)
        for profiles in self._profiles.values():
            users = [u for u in of if self._place(u) == profiles.number]
            # In the order of time: a log tells when a day ends.
            logs = [sorted(timed for u in users for timed in of[u][topic]) for topic in (0, 1)]
            batches = [[value for _, value in log] for log in logs]
            first = self._offsets[profiles.number]
            self._offsets[profiles.number] += max(map(len, batches))
            done = step(
                profiles,
                [records(batch, first, at=TIMES[-1]) for batch in batches],
                floor=TIMES[number],
            )
            assert not done.rejected
            self._write(profiles, done)
            yield done

    def moved(self, number: int) -> None:
        """Another process takes all partitions over, from the changelog and the topic alone."""
        for profiles in list(self._profiles.values()):
            loader = Loader(PROGRAM, profiles.number, self._partitions)
            loader.add(self._changelog[profiles.number])
            self._profiles[profiles.number] = loader.finish()
        last = max(at for at in self._topic if at <= number)
        for profiles in self._profiles.values():
            profiles.models = self._compiled(last)

    def _compiled(self, at: int) -> Models:
        learning = PROGRAM.catalogue.learning
        assert learning is not None
        read: dict[str, Model] = {task: decode(value) for task, value in self._topic[at].items()}
        return Models.of(learning, read)

    def _place(self, user: str) -> int:
        return PROGRAM.partitioner(user.encode(), self._partitions)

    def _write(self, profiles: Profiles, done: Step) -> None:
        meta = Meta(
            next={}, time=profiles.time, layout="", strings=len(profiles.dictionary),
            revision=PROGRAM.catalogue.revision, seen=profiles.feed.seen,
            pause=profiles.feed.pause,
        )  # fmt: skip
        rows = [(key, bytes(value)) for key, value in done.outputs.rows()]
        self._changelog[profiles.number] += [
            encode_meta(meta), encode_layout(PROGRAM.layout), *encode_strings(done.strings), *rows,
        ]  # fmt: skip


def said(workers: list[Worker], seed: int, moves: int = -1) -> dict[str, Any]:
    """All tags and all scores of the run by user: what differs by partition alone is left out."""
    tags, scores = defaultdict(list), defaultdict(list)
    for number, of in enumerate(events(seed)):
        for worker in workers:
            for done in worker.round(number, of):
                for change in done.outputs.changes:
                    tags[change.user_id].append(msgspec.structs.replace(change, cause=None))
                for _, value in done.training:
                    if isinstance(example := decode_training(value), Example):
                        scores[example.user_id].append((example.at, example.tasks))
            if number == moves:
                worker.moved(number)
    return {"tags": dict(tags), "scores": dict(scores)}


@pytest.mark.parametrize("seed", range(3))
def test_two_workers_say_what_one_says_however_many_partitions_there_are(seed: int) -> None:
    topic = published()
    one = said([Worker(2, [0, 1], topic)], seed)
    two = said([Worker(2, [0], topic), Worker(2, [1], topic)], seed)
    four = said([Worker(4, [0, 3], topic), Worker(4, [1, 2], topic)], seed)
    assert one == two == four
    changes = [change for user in one["tags"].values() for change in user]
    for tag in ("buys", "stays", "segments", "unusual_behaviour"):
        assert sum(change.tag == tag for change in changes) > 10
    assert {c.source.revision for c in changes if c.tag == "buys"} == {"1", "2"}
    assert len(one["scores"]) == len(USERS)


@pytest.mark.parametrize("moves", [FIRST, SECOND - 1, SECOND])
def test_a_worker_that_takes_over_says_what_the_first_would_have_said(moves: int) -> None:
    topic = published()
    stayed = said([Worker(2, [0], topic), Worker(2, [1], topic)], 7)
    assert said([Worker(2, [0], topic), Worker(2, [1], topic)], 7, moves) == stayed


def test_other_snapshots_say_something_else() -> None:
    late = {FIRST: published()[FIRST]}
    assert said([Worker(2, [0, 1], late)], 0) != said([Worker(2, [0, 1], published())], 0)


assert TIMES[-1] - START > 2 * DAY
