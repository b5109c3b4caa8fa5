"""From which changelogs a worker can go on: by their format, and by who changes them offline."""

from __future__ import annotations

from typing import Final

#: Of what is written now: 2 tells the number of partitions and may delete users. Rows are not part
#: of it: each names its layout, and a field that comes to mean something else gets another name.
FORMAT: Final = 2
#: The oldest that can be read. 1 was written until 0.1.0, and did not tell its number.
OLDEST: Final = 1


class Unready(Exception):
    """A changelog that is whole, and that a worker must not go on from; says what is to be done."""


def check_format(written: int, number: int) -> None:
    """Raise Unready where the changelog of partition `number` has a format that is not known."""
    if OLDEST <= written <= FORMAT:
        return
    known = f"{OLDEST} to {FORMAT}" if OLDEST < FORMAT else f"{FORMAT}"
    what = f"the changelog of partition {number} has format {written}, this version reads {known}"
    if written > FORMAT:
        raise Unready(f"{what}: a newer version has been at work here. Start that one again")
    raise Unready(
        f"{what}. Start a version between the two first, which rewrites it with its first commit; "
        "see Upgrading in docs/operations.md"
    )


def check_standing(busy: str, written_for: int, number: int, partitions: int) -> None:
    """Raise Unready where the state is half changed, or is that of another number of partitions.

    `busy` is the command that changes it, `written_for` the partitions there were when it was
    written (0: not told). This worker has partition `number` of `partitions`.
    """
    if busy:
        raise Unready(
            f"partition {number} is half changed: `{busy}` has begun and not ended. Run it again; "
            "it goes on where it was"
        )
    if written_for not in (0, partitions):
        raise Unready(
            f"the profiles are spread over {written_for} partitions, not over {partitions}: a "
            "user's partition is where his key belongs among all of them. "
            f"`stream-app repartition --to {partitions} --apply` moves them; or set "
            f"STREAM_APP_PARTITIONS={written_for} again"
        )
