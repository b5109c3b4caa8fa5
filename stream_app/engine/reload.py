"""The catalogue in use, and its reload while running."""

from __future__ import annotations

from pathlib import Path

from stream_app.domain.errors import DeclarationError
from stream_app.engine.catalogue import Limits, Program, load_catalogue


class CatalogueFile:
    """A compiled catalogue that follows its file; the last good one stays when that is broken."""

    def __init__(self, name: str | Path, limits: Limits) -> None:
        self._name = name
        self._limits = limits
        self.program = load_catalogue(name).compile(limits)
        self._path = Path(self.program.catalogue.file)
        self._seen = self._signature()

    def reload(self) -> Program | None:
        """Return the newly compiled catalogue if its file has changed, else None.

        Raises DeclarationError where the changed file is broken, once a change.
        """
        signature = self._signature()
        if signature == self._seen or signature is None:
            return None
        self._seen = signature
        catalogue = load_catalogue(self._name)
        if catalogue.revision == self.program.catalogue.revision:
            return None
        self._refuse_moves(catalogue.shop.partitioner, catalogue.shop.currency)
        self.program = catalogue.compile(self._limits)
        return self.program

    def _refuse_moves(self, partitioner: str, currency: str) -> None:
        shop = self.program.shop
        for field, old, new in (
            ("partitioner", shop.partitioner, partitioner),
            ("currency", shop.currency, currency),
        ):
            if old != new:
                raise DeclarationError(
                    str(self._path),
                    1,
                    f"shop.{field}",
                    f"cannot change from {old} to {new} while profiles exist",
                    "a new application (STREAM_APP_APP_ID), which reads its inputs from the start",
                )

    def _signature(self) -> tuple[int, int, int] | None:
        try:
            stat = self._path.stat()
        except OSError:
            # An editor or a ConfigMap may be replacing the file at this moment.
            return None
        return stat.st_mtime_ns, stat.st_size, stat.st_ino
