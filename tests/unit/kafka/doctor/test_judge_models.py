"""What the doctor makes of published models."""

from __future__ import annotations

from dataclasses import replace as with_
from pathlib import Path

import pytest
from msgspec.structs import replace
from support.learned import TEXT
from support.trainer import model

from stream_app.domain.clock import DAY
from stream_app.engine.catalogue import load_catalogue
from stream_app.engine.judges import names
from stream_app.kafka.doctor.facts import InUse
from stream_app.kafka.doctor.judge_models import models, read
from stream_app.kafka.model_registry.pins import pin, pin_key
from stream_app.learning import snapshot
from stream_app.learning.declaration import Learning

NOW = 1_700_000_000_000


@pytest.fixture(scope="module")
def learning(tmp_path_factory: pytest.TempPathFactory) -> Learning:
    file: Path = tmp_path_factory.mktemp("catalogue") / "shop.yaml"
    file.write_text(TEXT)
    found = load_catalogue(file).learning
    assert found is not None
    return found


@pytest.fixture
def fine(learning: Learning) -> InUse:
    return InUse(names(learning)[0], "classifier", 7, "live", NOW - DAY)


def judged(learning: Learning, one: InUse, clock: str = "wall") -> list[tuple[str, str]]:
    """State and remedy of what is told of this task."""
    told = models([one], learning, NOW, clock)
    return [(f.state.value, f.remedy) for f in told if f.text.startswith(f"{one.task}: ")]


def test_a_young_model_is_well_and_an_old_one_only_by_the_wall(learning, fine):
    assert judged(learning, fine) == [("ok", "")]
    old = with_(fine, created=NOW - 4 * DAY)
    assert judged(learning, old) == [
        ("problem", "is the trainer at work, and do workers write samples?")
    ]
    assert judged(learning, old, "event") == [("ok", "")]
    assert judged(learning, with_(old, kind="segments")) == [("ok", "")]
    assert judged(learning, with_(old, kind="segments", created=NOW - 11 * DAY))[0][0] == "problem"


def test_held_pinned_paused_and_broken_ones_say_what_to_do(learning, fine):
    task = fine.task
    ((state, remedy),) = judged(learning, with_(fine, held=8))
    assert (state, f"`stream-app models release {task}`" in remedy) == ("warning", True)
    # One that is pinned is meant to be old.
    ((state, remedy),) = judged(learning, with_(fine, pin=7, created=NOW - 90 * DAY))
    assert (state, f"`stream-app models unpin {task}`" in remedy) == ("warning", True)
    assert judged(learning, with_(fine, paused="its model is warming"))[0][0] == "warning"
    ((state, remedy),) = judged(learning, with_(fine, fault="checksum"))
    assert (state, remedy) == ("problem", f"`stream-app models rollback {task}`")


def test_each_task_without_a_model_is_told(learning):
    told = [*models([], learning, NOW, "wall")]
    assert [f.text for f in told] == [f"{n}: no model is published yet" for n in names(learning)]


def test_models_are_read_from_the_records_of_the_topic(learning):
    task = names(learning)[0]
    used = replace(model(7, task=task), created_at=NOW)
    newer = replace(model(8, task=task), state="held")
    found = {
        snapshot.key(task, 7): snapshot.encode(used),
        snapshot.key(task, 8): snapshot.encode(newer),
        snapshot.current_key(task): snapshot.encode(used),
        pin_key(task): pin(7),
    }
    (one,) = read(found, learning)
    assert (one.version, one.created, one.held, one.pin, one.fault) == (7, NOW, 8, 7, None)
    # Its columns are not what is learned from any more.
    assert one.paused
    broken = found | {snapshot.current_key(task): b"{"}
    assert read(broken, learning)[0].fault
    assert read({}, learning) == []
