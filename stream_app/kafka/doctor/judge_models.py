"""What published models mean for an operator; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from stream_app.engine.judges import names
from stream_app.engine.models import Models
from stream_app.kafka.doctor.facts import InUse
from stream_app.kafka.doctor.findings import Finding, ok, problem, warning
from stream_app.kafka.model_registry.models import ModelsError
from stream_app.kafka.model_registry.steering import Published
from stream_app.learning.declaration import Learning
from stream_app.learning.snapshot import Model, SnapshotError, current_key, decode
from stream_app.learning.tasks import POPULATION

_DAY = 86_400_000
#: Predictions are learned daily, segments fitted every seventh day; three more are too old (ms).
_OLD = 3 * _DAY
_OLD_SEGMENTS = 10 * _DAY


def read(found: Mapping[bytes, bytes], learning: Learning) -> list[InUse]:
    """The models in use of all that `learning` declares, from the records of the topic."""
    return [
        _in_use(task, found[current_key(task)], found, learning)
        for task in (*names(learning), POPULATION)
        if current_key(task) in found
    ]


def _in_use(task: str, value: bytes, found: Mapping[bytes, bytes], learning: Learning) -> InUse:
    try:
        model = decode(value)
    except SnapshotError as error:
        return InUse(task, "", 0, "", 0, fault=str(error))
    held = pin = None
    try:
        published = Published.of(found, task)
        pin, newest = published.pin, max(published.versions)
        if newest > model.version and decode(published.versions[newest]).state == "held":
            held = newest
    except (ModelsError, SnapshotError):
        pass
    paused = Models.of(learning, {task: model}).paused.get(task)
    return InUse(task, model.kind, model.version, model.state, _learned(model), held, pin, paused)


def _learned(model: Model) -> int:
    return int(model.created_at)


def models(found: Iterable[InUse], learning: Learning, now: int, clock: str) -> Iterator[Finding]:
    """Age and state of each task's model; ages only where events are of the present."""
    known = {one.task: one for one in found}
    for task in names(learning):
        if task not in known:
            yield warning(
                "models",
                f"{task}: no model is published yet",
                "is a trainer running, and has a horizon passed since the first samples?",
            )
    for one in known.values():
        bad = [*_one(one, now, clock)]
        yield from bad
        if not bad:
            age = f", learned until {_days(now - one.created)} ago" if clock == "wall" else ""
            yield ok("models", f"{one.task}: version {one.version} is {one.state}{age}")


def _one(one: InUse, now: int, clock: str) -> Iterator[Finding]:
    name = f"{one.task}: version {one.version}"
    if one.fault is not None:
        yield problem(
            "models",
            f"{one.task}: workers cannot load the model in use: {one.fault}",
            f"`stream-app models rollback {one.task}`",
        )
        return
    if one.paused is not None:
        yield warning(
            "models",
            f"{name} is not used: {one.paused}",
            "docs/learning.md says what each state waits for; the tags stay until they expire",
        )
    oldest = _OLD if one.kind == "classifier" else _OLD_SEGMENTS
    if clock == "wall" and now - one.created > oldest and one.pin is None:
        yield problem(
            "models",
            f"{name} has learned nothing for {_days(now - one.created)}",
            "is the trainer at work, and do workers write samples?"
            if one.held is None
            else f"`stream-app models release {one.task}` if the version that is held is right",
        )
    if one.held is not None:
        yield warning(
            "models",
            f"{one.task}: version {one.held} is held, version {one.version} stays in use",
            f"`stream-app models list`, then `stream-app models release {one.task}` if it is right",
        )
    if one.pin is not None:
        yield warning(
            "models",
            f"{one.task}: pinned to version {one.pin}",
            f"`stream-app models unpin {one.task}` when the cause is gone",
        )


def _days(ms: float) -> str:
    return f"{ms / _DAY:.1f} days"
