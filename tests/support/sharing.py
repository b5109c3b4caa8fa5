"""How pytest-xdist shares the tests out among its processes.

A file is one piece, because its tests may share what is dear to make. Tests against Kafka mostly
wait, for minutes some of them, and each makes what it needs: they are pieces of their own, unless
their file makes something for all of them. What takes longest comes first, so that at the end
small pieces are left for whoever is free.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from xdist.scheduler.loadscope import LoadScopeScheduling

TESTS = Path(__file__).parents[1]
SYSTEM = TESTS / "system"
#: What the image has is made once for all that is tried of it.
IMAGE = TESTS / "ops" / "image"
_SHARED = re.compile(r"@pytest.fixture\(.*scope=\"module\"")


@cache
def _shares(file: Path) -> bool:
    """Whether a test of this file needs to be where the others are."""
    return SYSTEM not in file.parents or bool(_SHARED.search(file.read_text()))


def longest_first(items: list[pytest.Item]) -> None:
    """Tests against Kafka first: whole files, then by their time limits; all others as they are."""
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> tuple[int, float]:
    if SYSTEM not in item.path.parents:
        return 2, 0.0
    if _shares(item.path):
        return 0, 0.0
    limit = item.get_closest_marker("timeout")
    return 1, -float(limit.args[0]) if limit else 0.0


class Shares(LoadScopeScheduling):
    """Gives out the pieces in the order of the tests.

    A test that takes its process with it, as one that exceeds its time limit does, has failed and
    is not tried again; what else the process was to do goes to others.
    """

    def __init__(self, config: pytest.Config, log: object) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False

    def _split_scope(self, nodeid: str) -> str:
        file = self.config.rootpath / nodeid.partition("::")[0]
        if file.parent == IMAGE:
            return str(IMAGE)
        return str(file) if _shares(file) else nodeid

    def remove_node(self, node: object) -> str | None:
        pieces = self.assigned_work.pop(node)
        tests = ((test, piece) for piece in pieces.values() for test in piece if not piece[test])
        running, piece = next(tests, (None, {}))
        if running:
            piece[running] = True
        self.workqueue.update(
            {name: left for name, left in pieces.items() if not all(left.values())}
        )
        for other in self.assigned_work:
            self._reschedule(other)
        return running
