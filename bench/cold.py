"""Profiles beyond memory beside all of them in memory, without a broker: the same events by both.

    python -m bench.cold [--users N] [--resident N] [--events N]

Each side is a process of its own, one after the other: rows of all users are put in as a restore
puts them, then events by Zipf's law are folded, and their batches filled and compressed, as in
`bench.profile_worker`. Time is the processor's, RocksDB's threads included: what a worker that has
the processor to itself would take. Memory is what the system says is resident.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click
import numpy as np

from bench import events
from bench.profile_worker import _send
from bench.seed import _fold_sample, source_records
from stream_app.engine import Profiles, Program, load_catalogue, step
from stream_app.engine.changelog import Meta, encode_meta
from stream_app.engine.cold.checkpoint import Checkpoints, Name, Owner, load
from stream_app.engine.cold.profiles import ColdProfiles
from stream_app.engine.cold.rocks import Memory, RocksShelf
from stream_app.engine.cold.room import Room

_ROUND: Final = 8_000
#: Rows that are due at once.
_FLOOD: Final = 100_000
#: Users whose rows are everybody's.
_SAMPLE: Final = 5_000
_OWNER: Final = Owner("bench", 0, 1)


@click.command()
@click.option("--users", default=200_000, show_default=True)
@click.option("--resident", default=20_000, show_default=True, help="Of them in memory.")
@click.option("--events", "total", default=200_000, show_default=True)
@click.option("--only", type=click.Choice(["memory", "bounded"]), help="One side alone.")
@click.option("--folder", type=click.Path(path_type=Path), help="Where the local store lies.")
@click.option("--side", type=click.Choice(["memory", "bounded"]), hidden=True)
def main(
    users: int, resident: int, total: int, only: str | None, folder: Path | None, side: str | None
) -> None:
    """Print what both sides take, side by side."""
    if side:
        with tempfile.TemporaryDirectory(dir=folder) as store:
            click.echo(json.dumps(_measure(side, users, resident, total, Path(store))))
        return
    found = {}
    for one in [only] if only else ["memory", "bounded"]:
        command = [sys.executable, "-m", "bench.cold", "--side", one, "--users", str(users)]
        command += ["--resident", str(resident), "--events", str(total)]
        command += ["--folder", str(folder)] if folder else []
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        found[one] = json.loads(done.stdout)
    click.echo(f"{'':32}" + "".join(f"{one:>16}" for one in found))
    for name in dict.fromkeys(name for one in found.values() for name in one):
        figures = (f"{one[name]:16,.2f}" if name in one else f"{'-':>16}" for one in found.values())
        click.echo(f"{name:32}{''.join(figures)}")


def _measure(side: str, users: int, resident: int, total: int, folder: Path) -> dict[str, float]:
    program, now = load_catalogue("retail").compile(), time.time_ns() // 1_000_000
    sample, [*_, rows] = _fold_sample(program, min(_SAMPLE, users), now)
    empty = _resident_mb()
    shelf = RocksShelf(folder, Memory()) if side == "bounded" else None
    profiles = Profiles(program)
    if shelf is not None:
        profiles = ColdProfiles(program, 0, 1, shelf, Room(resident))
        profiles.keeper = Checkpoints(profiles, _OWNER, Name("bench"))
    found = {"CPU µs a user to put in": _put(profiles, rows, users) / users * 1e6}
    profiles.time, profiles.dictionary = sample.time, sample.dictionary
    found["resident MB before events"] = _resident_mb()
    gc.freeze()
    gc.disable()
    found |= _fold(profiles, users, total, now)
    found |= _flood(profiles, min(users, _FLOOD))
    found |= {"resident MB": _resident_mb(), "of it before any user": empty}
    found["bytes a user"] = (found["resident MB"] - empty) * 1e6 / users
    if shelf is not None:
        found["MB on disk"] = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) / 1e6
        found |= _again(profiles, folder, program)
    return found


def _put(profiles: Profiles, rows: list[bytes], users: int) -> float:
    """Put rows of the sample in under the ids of all users; CPU seconds."""
    began, dtype = time.process_time(), profiles.program.layout.dtype
    for first in range(0, users, 5_000):
        some = range(first, min(first + 5_000, users))
        names = [key.decode() for key in events.user_keys(np.arange(some.start, some.stop))]
        block = b"".join(rows[user % len(rows)] for user in some)
        profiles.put(names, np.frombuffer(block, dtype=dtype))
    return time.process_time() - began


def _fold(profiles: Profiles, users: int, total: int, now: int) -> dict[str, float]:
    """Fold events twice as many as are measured: who is warm is in memory after the first half."""
    spent: dict[str, float] = defaultdict(float)
    counts: dict[str, float] = defaultdict(float)
    for number, records in enumerate(_rounds(users, 2 * total, now)):
        if number == total // _ROUND:
            spent.clear()
            counts.clear()
            profiles.take_traffic()
        began, wall = time.process_time(), time.perf_counter()
        done = step(profiles, records)
        _send(done, defaultdict(float))
        profiles.committed(number, _meta(profiles))
        spent["CPU"] += time.process_time() - began
        spent["wall"] += time.perf_counter() - wall
        counts["events"] += sum(map(len, records))
        counts["rows"] += done.touched
    read, written = profiles.take_traffic()
    n = counts["events"]
    return {
        "CPU µs an event": spent["CPU"] / n * 1e6,
        "events a CPU second": n / spent["CPU"],
        "events a second, by the clock": n / spent["wall"],
        "rows an event": counts["rows"] / n,
        "rows read an event": read / n,
        "rows written an event": written / n,
    }


def _flood(profiles: Profiles, rows: int) -> dict[str, float]:
    """Decide so many rows whose time has come, without events."""
    # Not all: due again and again are the same ones otherwise.
    profiles.due[:] = np.iinfo(np.int64).max
    profiles.due[profiles.extent - rows :] = 0
    began, decided, number = time.process_time(), 0, 1 << 40
    while decided < rows:
        done = step(profiles, [[], []])
        _send(done, defaultdict(float))
        number += 1
        profiles.committed(number, _meta(profiles))
        decided += done.due
    return {"CPU µs a row due, in a flood": (time.process_time() - began) / decided * 1e6}


def _rounds(users: int, total: int, now: int) -> Iterator[Any]:
    rng = np.random.default_rng(events.SEED)
    # Ranks are spread over the ids: those of the busiest do not lie together.
    place = rng.permutation(users)
    for first in range(0, total, 100_000):
        n = min(100_000, total - first)
        arrived = now + np.arange(first, first + n, dtype=np.int64) // 50
        batch = events.make(place[events.zipf(n, users, rng)], arrived, f"run{first}", rng)
        for at in range(0, n, _ROUND):
            yield source_records(batch.part(at, min(at + _ROUND, n)))


def _meta(profiles: Profiles) -> bytes:
    layout = f"{profiles.program.layout.fingerprint:016x}"
    meta = Meta({}, profiles.time, layout, len(profiles.dictionary))
    return bytes(encode_meta(meta)[1])


def _again(profiles: Profiles, folder: Path, program: Program) -> dict[str, float]:
    """Stop, and start from the local store."""
    began = time.process_time()
    for _ in profiles.leave(settled=True):
        pass
    stopped = time.process_time()
    found = load(RocksShelf(folder, Memory()), program, _OWNER, Room(1)).profiles
    assert len(found) == len(profiles)
    return {"CPU s to stop": stopped - began, "CPU s to start": time.process_time() - stopped}


def _resident_mb() -> float:
    # Pages of 4 KiB.
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4_096 / 1e6


if __name__ == "__main__":
    main()
