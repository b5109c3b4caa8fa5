"""A tag's life by its definition: one user, one tag, one decision at a time."""

from __future__ import annotations

from dataclasses import dataclass

SECOND = 1_000
#: The truth of each value's condition, in the order of declaration.
Cases = list[tuple[str | bool, bool | None]]


@dataclass
class Model:
    """The state of a tag.

    A flag has one case, of value True. `until` holds the truth of `until`, and is None for a tag
    that has none.
    """

    hold: int = 0
    expires: int = 0
    value: str | bool | None = None
    spent: bool = False
    since: int | None = None

    def decide(
        self,
        now: int,
        cases: list[tuple[str | bool, bool | None]],
        until: tuple[bool | None] | None,
    ) -> str | None:
        """Return what made a change, `rule` or `expiry`, or None when there is none."""
        begun = any(truth is True for _, truth in cases)
        if self._over(now):
            self.value, self.spent, self.since = None, begun, self._whole(now)
            return "expiry"
        self.spent = self.spent and begun
        wanted = None if self.spent else self._wanted(cases, until)
        if wanted == self.value or self._held(now):
            return None
        self.value, self.since = wanted, self._whole(now)
        return "rule"

    def _wanted(self, cases: Cases, until: tuple[bool | None] | None) -> str | bool | None:
        if until is not None:
            (_, when), (end,) = cases[0], until
            stays = when is True or (when is False and self.value is not None)
            return True if stays and end is not True else None
        return next((value for value, truth in cases if truth is True), None)

    def _over(self, now: int) -> bool:
        if self.value is None or not self.expires:
            return False
        assert self.since is not None
        return now >= self.since + self.expires

    @staticmethod
    def _whole(now: int) -> int:
        return -(-now // SECOND) * SECOND

    def _held(self, now: int) -> bool:
        return self.hold > 0 and self.since is not None and now < self.since + self.hold
