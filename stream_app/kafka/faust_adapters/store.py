"""The Faust store behind the table `profiles`: a read-only view of the partition tasks' rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from faust.stores import STORES
from faust.stores.base import Store
from faust.types import TP

from stream_app.engine.profiles import Profiles

#: URL scheme of this store: `rows://`.
SCHEME: Final = "rows"


class RowStore(Store):
    """Profiles by user id, as dictionaries of feature values at partition time.

    Rows are written by partition tasks only, together with their offsets; a write through the table
    would not be part of a transaction, so it is refused.
    """

    def _profiles(self) -> Iterator[Profiles]:
        """Yield the profiles of each partition; the application knows the partitions."""
        yield from self.app.profiles()

    def persisted_offset(self, tp: TP) -> int | None:
        """Answer that nothing is persisted here: restoring is the tasks' own."""
        return None

    def __getitem__(self, user: str) -> dict[str, Any]:
        for profiles in self._profiles():
            if user in profiles:
                return profiles.read(user)
        raise KeyError(user)

    def __setitem__(self, user: str, value: Any) -> None:
        raise TypeError("profiles are written by events only")

    def __delitem__(self, user: str) -> None:
        raise TypeError("profiles are written by events only")

    def __contains__(self, user: object) -> bool:
        return any(user in profiles for profiles in self._profiles())

    def __iter__(self) -> Iterator[str]:
        for profiles in self._profiles():
            yield from profiles.known()

    def __len__(self) -> int:
        return sum(len(profiles) for profiles in self._profiles())

    def apply_changelog_batch(self, *args: Any, **kwargs: Any) -> None:
        raise RuntimeError("Faust must not restore profiles: its transport reports no changelog")

    def reset_state(self) -> None:
        """Do nothing: there is no local file."""

    async def backup_partition(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the changelog is the only copy."""

    def restore_backup(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: see `backup_partition`."""


def register() -> None:
    """Make the `rows://` scheme known to Faust."""
    STORES.aliases[SCHEME] = f"{__name__}:RowStore"
