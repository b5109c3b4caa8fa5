"""The journal closes the same examples in the same cohorts as the trainer does."""

from __future__ import annotations

import numpy as np
from support.small_learning import CATALOGUE, events

from stream_app.cli._replaying import FileReplay
from stream_app.data.checks import Checker
from stream_app.engine import load_catalogue
from stream_app.engine.replay import Replay
from stream_app.engine.taught import Learned, Taught
from stream_app.learning.trainer import Trainer
from stream_app.report.journal import Journal


def folded(tmp_path, partitions: int) -> tuple[Journal, dict[str, list]]:
    """A journal of a small shop, and the trainer's models by task."""
    path, lines = tmp_path / "catalogue.yaml", tmp_path / "events.ndjson"
    path.write_text(CATALOGUE)
    lines.write_bytes(b"\n".join(events(days=10)) + b"\n")
    catalogue = load_catalogue(path)
    learning = catalogue.learning
    assert learning is not None
    replay = Replay(catalogue.compile(), partitions)
    journal, models = Journal(learning), {}
    taught = Taught(replay, learning, Learned(Trainer(learning).take), journal.take)
    checker = Checker(max_event_bytes=10_000, future_ms=None, retention_ms=None)
    run = FileReplay(replay)
    from stream_app.data.lines import read_chunks

    for chunk in read_chunks(str(lines)):
        for step, _ in run.feed(checker.check(chunk, 0)):
            if step is not None:
                for one in taught.after(step):
                    journal.publish([one.model])
                    models.setdefault(one.model.task, []).append(one.model)
    return journal, models


def test_it_closes_what_the_trainer_closes(tmp_path) -> None:
    journal, models = folded(tmp_path, 3)
    for name, joined in journal.tasks.items():
        examples, newest = joined.examples(), models[name][-1]
        assert newest.trained.examples == len(examples) > 0
        assert newest.trained.positives == examples.positive.sum()
        cohort = joined.cohorts[-1]
        assert newest.metrics["cohort"] == cohort.at
        assert newest.metrics["examples"] == len(cohort)
        # Vectors are those of the examples: what was ordered is known by the outcome's windows.
        assert (examples.closed - examples.at == joined.task.horizon_ms).all()
    assert not np.isinf(journal.vectors).any()
    assert models["segments"][-1].trained.examples == len(journal.fits[-1].vectors)


def test_every_example_has_its_own_vector(tmp_path) -> None:
    journal, _ = folded(tmp_path, 1)
    examples = journal.tasks["orders_soon"].examples()
    assert len(np.unique(examples.row)) == len(examples)
    hours = journal.vectors[examples.row, journal.learning.columns.index("hours_since_order")]
    orders = journal.vectors[examples.row, journal.learning.columns.index("orders_2d")]
    assert ((hours < 48) == (orders > 0)).all()
