"""How long a program was away, by the faults that struck it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from chaos.schedule import Fault


class Struck(NamedTuple):
    """A fault that was played, and seconds from its strike: until it was over, and until all that
    had been sent before it was folded."""

    fault: Fault
    over_s: float
    back_s: float


def mttr(struck: Sequence[Struck]) -> str:
    """By kind of fault: how long it lasted; and then, until all that was sent before was folded."""
    by_kind: defaultdict[str, list[Struck]] = defaultdict(list)
    for one in struck:
        by_kind[one.fault.kind].append(one)
    lines = ["in seconds       times   it lasted   until all sent before it was folded, after it"]
    for kind, these in sorted(by_kind.items()):
        lasted = median(one.over_s for one in these)
        after = [max(0.0, one.back_s - one.over_s) for one in these]
        lines.append(
            f"  {kind:<14} {len(these):5} {lasted:11.1f}"
            f"   median {median(after):.1f}, worst {max(after):.1f}"
        )
    return "\n".join(lines)
