"""Where a running worker cannot be sampled, it is told why."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench import flames
from bench.processes import MeasureError

WORKER: Any = SimpleNamespace(pid=1, check=lambda: None)


async def test_without_py_spy_it_is_told_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with pytest.raises(MeasureError, match="pip install 'stream-app"):
        await flames._sample(WORKER, 1, False, tmp_path / "stacks")


async def test_where_it_may_not_be_sampled_the_right_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    refusing = tmp_path / "py-spy"
    refusing.write_text("#!/bin/sh\necho Permission denied\nexit 1\n")
    refusing.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda *_, **__: str(refusing))
    with pytest.raises(MeasureError, match=r"ptrace_scope=0\):\nPermission denied"):
        await flames._sample(WORKER, 1, False, tmp_path / "stacks")
