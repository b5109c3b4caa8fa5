"""What ends a worker: each says what happened and what to do next."""

from __future__ import annotations

from collections.abc import Iterator


class Fatal(Exception):
    """The process has to end; the next start continues from the last commit."""


class Refusal(Fatal):
    """Starting again will not help before an operator has decided something."""


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error, what it was raised from, and so on; each once."""
    seen: set[int] = set()
    # An error may be named as its own cause, at a distance too.
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__
