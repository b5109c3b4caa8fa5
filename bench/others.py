"""Measuring the two sides that are not this worker: plain consuming, and stock Faust."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import orjson

from bench.lanes import PARTITIONS, Lane
from bench.processes import MeasureError, Process

_START_S = 90.0


async def consume(lane: Lane, log: Path, total: int) -> dict[str, Any]:
    """The rate of `bench.consume` over all events of a lane."""
    command = ["-m", "bench.consume", lane.servers, str(total), *lane.inputs]
    with Process(command, log, {}) as process:
        await process.wait_end(120)
    return dict(_lines(log)[-1])


async def stock_faust(lane: Lane, log: Path, total: int, seconds: float) -> dict[str, Any]:
    """The rate of `bench.stock_faust` on a lane, over `seconds` or until nothing is left.

    Events count when the agent has them; that their changelog records follow is not waited for,
    which favours Faust.
    """
    env = {
        "BENCH_APP_ID": f"stock-{lane.name}",
        "BENCH_SERVERS": lane.servers,
        "BENCH_TOPICS": ",".join(lane.inputs),
        "BENCH_PARTITIONS": str(PARTITIONS),
    }
    with Process(["-m", "bench.stock_faust"], log, env) as process:
        deadline = time.monotonic() + _START_S
        while len(_running(log)) < 2:
            if time.monotonic() > deadline or not process.alive:
                raise MeasureError(f"stock Faust counts nothing\n{process.tail()}")
            await asyncio.sleep(0.2)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and _running(log)[-1]["events"] < total:
            await asyncio.sleep(0.2)
        await asyncio.to_thread(process.stop, 10)
    return _rate(_running(log), total)


def _running(log: Path) -> list[dict[str, Any]]:
    """The lines from the first counted event on."""
    return [line for line in _lines(log) if line.get("events")]


def _rate(lines: list[dict[str, Any]], total: int) -> dict[str, Any]:
    begin = lines[0]
    end = next((line for line in lines if line["events"] >= total), lines[-1])
    events, seconds = end["events"] - begin["events"], end["at"] - begin["at"]
    return {
        "events_per_second": round(events / seconds, 1),
        "cpu_us_per_event": round((end["cpu"] - begin["cpu"]) / events * 1e6, 2),
        "events": events,
        "seconds": round(seconds, 2),
    }


def _lines(log: Path) -> list[dict[str, Any]]:
    if not log.exists():
        return []
    whole = log.read_bytes().rpartition(b"\n")[0].splitlines()
    return [orjson.loads(line) for line in whole if line.startswith(b'{"')]
