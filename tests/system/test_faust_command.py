"""`faust -A stream_app.app worker` runs the same worker as `stream-app worker`."""

from __future__ import annotations

import asyncio
import sys

from support.broker import environment
from support.worker import Worker

FAUST = (sys.executable, "-m", "faust", "-A", "stream_app.app", "worker", "-l", "info")


async def test_the_command_line_of_faust_runs_a_worker(kafka, topics, tmp_path):
    env = environment(kafka.bootstrap_servers, topics)
    worker = Worker(tmp_path / "faust.log", env, FAUST)
    try:
        await asyncio.to_thread(worker.wait_ready)
        assert "stream_app_build" in worker.get("/metrics")[1]
        assert worker.get("/table/profiles")[0] == 404
        assert await asyncio.to_thread(worker.terminate) == 0, worker.tail()
    finally:
        worker.kill()
