"""Hypothesis profiles, and how the tests are shared out among processes.

Few examples while developing, more where CI runs the tests.
"""

from __future__ import annotations

import os

import pytest
from _pytest.config import create_terminal_writer
from hypothesis import HealthCheck, settings

# As where the product runs; with threads in each of several processes there would be too many.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# A shared machine is slow at times; that must not fail a law.
_CALM = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("dev", max_examples=25, **_CALM)
settings.register_profile("ci", max_examples=200, print_blob=True, **_CALM)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"))


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):
        # What hung pytest-timeout writes to the terminal, of which a process of pytest-xdist has
        # none: to where it shows then.
        terminal = create_terminal_writer(config, os.fdopen(os.dup(2), "w"))
        config.get_terminal_writer = lambda: terminal


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    from support.sharing import Shares

    return Shares(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    # In the processes of pytest-xdist, not where one process does all.
    if hasattr(config, "workerinput"):
        from support.sharing import longest_first

        longest_first(items)
