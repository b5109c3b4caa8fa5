"""Traffic of users who leave and come back, before and after they are forgotten."""

from __future__ import annotations

from dataclasses import dataclass

from support.traffic import Traffic

HOUR_MS = 3_600_000
#: A visit lasts so long.
VISIT_MS = 18 * HOUR_MS
#: After it a user is away for so many times what he may be idle for: not for long enough, just so,
#: for so long that only his next event can tell, for so long that time alone ends him. None: he
#: never comes again.
PAUSES = (0.7, 1.05, 1.2, 1.6, None, 2.5, 3.0)
#: Each begins so much later than the one before.
SHIFT_MS = 7 * HOUR_MS


@dataclass
class Leaving(Traffic):
    """Every other user comes and goes; `idle_ms` is how long one may be away.

    The first events are `past` events, `past_step_ms` apart, before `start`.
    """

    idle_ms: int = 0
    past: int = 0
    past_step_ms: int = 0

    def _when(self) -> int:
        if self._number < self.past:
            return self.start - (self.past - self._number) * self.past_step_ms
        return self.start + (self._number - self.past) * self.step_ms

    def _who(self) -> int:
        user = super()._who()
        passed = self._when() - self.start + self.past * self.past_step_ms
        # In his place comes somebody who never leaves.
        return user - 1 if user % 2 and is_away(user, passed, self.idle_ms) else user


def is_away(user: int, passed: int, idle_ms: int) -> bool:
    """Whether a user who comes and goes is away so long (ms) after the beginning."""
    pause = PAUSES[user // 2 % len(PAUSES)]
    if pause is None:
        return passed >= VISIT_MS + user * HOUR_MS
    return (passed + user * SHIFT_MS) % (VISIT_MS + int(pause * idle_ms)) >= VISIT_MS
