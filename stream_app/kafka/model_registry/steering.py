"""What operators may do with published models: which records say so, and writing them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from stream_app.domain.errors import nearest
from stream_app.engine.models import Models
from stream_app.kafka.client.writer import Outgoing, TransactionWriter
from stream_app.kafka.model_registry.models import ModelsError
from stream_app.kafka.model_registry.pins import pin, pin_key, pinned
from stream_app.learning.declaration import Learning
from stream_app.learning.snapshot import Model, SnapshotError, current_key, decode
from stream_app.learning.training import Release
from stream_app.settings import Settings

#: Of a model in this state a tag says something.
_LIVE: Final = "live"


class Change(NamedTuple):
    """A version that comes into use with these records on the topic `models`."""

    version: int
    records: list[Outgoing]


@dataclass(frozen=True)
class Published:
    """The versions of one task, as their records; `in_use` and `pin` are numbers of them or None.

    All that it is asked for raises ModelsError where that cannot be, with what can.
    """

    task: str
    versions: Mapping[int, bytes]
    in_use: int | None
    pin: int | None

    @classmethod
    def of(cls, found: Mapping[bytes, bytes], task: str) -> Published:
        """The task's among all records `found` of the topic; raises ModelsError without any."""
        by_task: dict[str, dict[int, bytes]] = {}
        for name, value in found.items():
            known, _, number = name.decode(errors="replace").rpartition(":")
            if number.isdecimal():
                by_task.setdefault(known, {})[int(number)] = value
        if task not in by_task:
            raise ModelsError(f"there is no model of {task!r}: expected {nearest(task, by_task)}")
        versions = dict(sorted(by_task[task].items()))
        current = found.get(current_key(task))
        in_use = next((v for v, value in versions.items() if value == current), None)
        return cls(task, versions, in_use, pinned(found.get(pin_key(task))))

    def pinning(self, version: int, learning: Learning) -> Change:
        """What pins a version, which comes into use by that."""
        model = self._model(version)
        if model.state == "held":
            raise ModelsError(
                f"version {version} of {self.task} is held: `stream-app models release {self.task} "
                f"--version {version}` puts it into use, and compares later ones with it"
            )
        why = Models.of(learning, {self.task: model}).paused.get(self.task)
        if why is not None:
            raise ModelsError(f"version {version} of {self.task} cannot be used: {why}")
        value = self.versions[version]
        records = [
            Outgoing(pin_key(self.task), pin(version)),
            Outgoing(current_key(self.task), value),
        ]
        return Change(version, records)

    def back(self, learning: Learning) -> Change:
        """What pins the live version before the one in use."""
        if self.in_use is None:
            raise ModelsError(f"of {self.task} no version is in use that is still published")
        for version in sorted(self.versions, reverse=True):
            if version < self.in_use and self._state(version) == _LIVE:
                return self.pinning(version, learning)
        raise ModelsError(
            f"before version {self.in_use} of {self.task} there is no live one: there are "
            f"{self._all()}"
        )

    def unpinning(self) -> Change:
        """What lifts the pin and puts the newest version into use that is not held."""
        if self.pin is None:
            raise ModelsError(f"{self.task} is not pinned")
        for version in sorted(self.versions, reverse=True):
            if self._state(version) not in ("held", None):
                value = self.versions[version]
                records = [
                    Outgoing(pin_key(self.task), None),
                    Outgoing(current_key(self.task), value),
                ]
                return Change(version, records)
        raise ModelsError(f"of {self.task} no version can be put into use: there are {self._all()}")

    def releasing(self, version: int | None) -> Release:
        """What releases a version that is held, the newest one where none is said."""
        held = [v for v in self.versions if self._state(v) == "held"]
        if version is None:
            if not held:
                raise ModelsError(f"no version of {self.task} is held: there are {self._all()}")
            version = held[-1]
        model = self._model(version)
        if model.state != "held":
            names = ", ".join(map(str, held)) or "none"
            raise ModelsError(
                f"version {version} of {self.task} is {model.state}, not held; held: {names}"
            )
        later = [v for v in self.versions if v > version and self._state(v) == _LIVE]
        if later:
            raise ModelsError(
                f"version {version} of {self.task} was held, but version {later[-1]} has come into "
                "use since: there is nothing left to release"
            )
        return Release(task=self.task, version=version, at=model.created_at)

    def released(self, version: int) -> bool:
        """Whether a trainer has published a version as one that is not held."""
        return self._state(version) == _LIVE

    def _model(self, version: int) -> Model:
        value = self.versions.get(version)
        if value is None:
            raise ModelsError(f"{self.task} has no version {version}: there are {self._all()}")
        try:
            return decode(value)
        except SnapshotError as error:
            raise ModelsError(
                f"version {version} of {self.task} cannot be used: {error}"
            ) from error

    def _state(self, version: int) -> str | None:
        """Its state; None where it cannot be read."""
        try:
            return decode(self.versions[version]).state if version in self.versions else None
        except SnapshotError:
            return None

    def _all(self) -> str:
        return ", ".join(f"{v} ({self._state(v) or 'unreadable'})" for v in self.versions)


async def write(settings: Settings, topic: str, records: list[Outgoing]) -> None:
    """Write records to the only partition of a topic, all or none; raises Fatal.

    Under a transactional id of its own, so that it ends no trainer.
    """
    writer = TransactionWriter(
        settings.client_options(),
        f"{settings.app_id}-models",
        0,
        timeout_s=settings.transaction_timeout_s,
        compression=settings.codec,
    )
    try:
        await writer.open(settings.session_timeout_s)
        await writer.write(writer.pack({topic: records}))
    finally:
        await writer.close(settings.drain_timeout_s)
