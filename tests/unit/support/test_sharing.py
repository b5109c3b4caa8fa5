"""Tests are shared out whole, once each, and what took its process with it is not tried again."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("xdist")

from support.sharing import Shares

ROOT = Path(__file__).parents[3]
TOGETHER = [f"tests/unit/test_docs.py::test_{n}" for n in range(4)]
GUARDED = [f"tests/system/test_security.py::test_{n}" for n in range(4)]
ALONE = [f"tests/system/test_stop.py::test_{n}" for n in range(6)]


class Process:
    """A process of pytest-xdist, which does as told when asked to."""

    def __init__(self) -> None:
        self.gateway = SimpleNamespace(id="gw")
        self.shutting_down = False
        self.told: list[int] = []

    def send_runtest_some(self, indices: list[int]) -> None:
        self.told += indices

    def shutdown(self) -> None:
        self.shutting_down = True


def shares(tests: list[str], processes: int) -> tuple[Shares, list[Process]]:
    config = SimpleNamespace(
        getvalue=lambda name: ["popen"] * processes,
        option=SimpleNamespace(),
        rootpath=ROOT,
    )
    made, nodes = Shares(config, None), [Process() for _ in range(processes)]
    for node in nodes:
        made.add_node(node)
    for node in nodes:
        made.add_node_collection(node, tests)
    made.schedule()
    return made, nodes


def work(made: Shares, nodes: list[Process]) -> dict[int, Process]:
    """Have all processes do, in turn, a test of what they were told; by test, who did it."""
    did: dict[int, Process] = {}
    while any(node.told for node in nodes):
        for node in nodes:
            if node.told:
                test = node.told.pop(0)
                assert test not in did
                did[test] = node
                made.mark_test_complete(node, test)
    return did


def test_files_stay_together_and_tests_against_kafka_do_not_unless_they_share() -> None:
    tests = [*GUARDED, *ALONE, *TOGETHER]
    made, nodes = shares(tests, 2)
    did = work(made, nodes)
    assert sorted(did) == list(range(len(tests)))
    who = {name: {did[tests.index(test)] for test in part} for name, part in
           (("guarded", GUARDED), ("alone", ALONE), ("together", TOGETHER))}  # fmt: skip
    assert {name: len(processes) for name, processes in who.items()} == {
        "guarded": 1, "alone": 2, "together": 1,
    }  # fmt: skip
    assert made.tests_finished


def test_what_took_its_process_with_it_has_failed_and_others_do_the_rest() -> None:
    tests = [*GUARDED, *ALONE]
    made, (dying, living) = shares(tests, 2)
    made.mark_test_complete(dying, dying.told.pop(0))
    running, *left = dying.told
    assert made.remove_node(dying) == tests[running]
    did = work(made, [living])
    assert set(left) <= set(did)
    assert running not in did
    assert len(did) == len(tests) - 2


def test_who_has_nothing_left_to_do_leaves_without_a_failure() -> None:
    made, nodes = shares(ALONE, 2)
    work(made, nodes)
    assert [made.remove_node(node) for node in nodes] == [None, None]
