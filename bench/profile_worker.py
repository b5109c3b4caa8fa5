"""Where the time of a partition's rounds goes, without a broker: CPU µs an event by part.

    python -m bench.profile_worker [--round N] [--span S] [--new] [--cprofile]

Folds generated events with the retail catalogue as a worker does: decode, find rows, fold, decide,
encode, fill and compress the batches that would be sent. What Kafka's clients and Faust cost beside
is not here; compare with the `cpu_us_per_event` of `python -m bench --only worker_warm`.
"""

from __future__ import annotations

import os

# As `stream-app worker` has it. Threads that wait for more would else be counted as work.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import cProfile
import gc
import pstats
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain, starmap
from typing import Any
from unittest.mock import patch

import click
import numpy as np

from bench import events, learned
from bench.seed import source_records
from stream_app.engine import Profiles, Step, load_catalogue, step
from stream_app.engine.changelog import encode_strings
from stream_app.kafka.client.batch import CompressedBatch
from stream_app.kafka.client.writer import MAX_BATCH_BYTES, Outgoing
from stream_app.settings import Settings


@click.command()
@click.option("--round", "size", default=10_000, show_default=True, help="Events in a round.")
@click.option("--total", default=150_000, show_default=True, help="Events in all.")
@click.option("--users", default=250_000, show_default=True, help="Users of this partition.")
@click.option("--span", default=3_600, show_default=True, help="Seconds that the events span.")
@click.option("--new", is_flag=True, help="Each event from a new user, instead of by Zipf's law.")
@click.option("--models", is_flag=True, help="With models that score and decide.")
@click.option("--cprofile", is_flag=True, help="Functions by their own time, too.")
def main(
    size: int, total: int, users: int, span: int, new: bool, models: bool, cprofile: bool
) -> None:
    """Print CPU µs an event by part of a round."""
    profiles = Profiles(load_catalogue("retail").compile())
    rng = np.random.default_rng(events.SEED)
    now = time.time_ns() // 1_000_000
    if not new:
        _warm_up(profiles, users, now - span * 1_000, rng)
    if models:
        learned.use(profiles)
        while step(profiles, [[], []]).due:
            pass
    who = rng.permutation(total) if new else events.zipf(total, users, rng)
    batch = events.make(who, events.arrivals(total, now, span * 1_000), "run", rng)
    rounds = [source_records(batch.part(at, at + size)) for at in range(0, total, size)]
    # A worker collects garbage rarely, too.
    gc.freeze()
    gc.disable()
    profile = cProfile.Profile(builtins=False) if cprofile else None
    _print(*_run(profiles, rounds, profile), total)
    if profile:
        pstats.Stats(profile).sort_stats("tottime").print_stats(35)


def _warm_up(profiles: Profiles, users: int, now: int, rng: np.random.Generator) -> None:
    """Make a row for every user."""
    for made in events.chunks(rng.permutation(users), events.arrivals(users, now), "warm", rng):
        for at in range(0, len(made), 10_000):
            step(profiles, source_records(made.part(at, at + 10_000)))


def _run(
    profiles: Profiles, rounds: list[Any], profile: cProfile.Profile | None
) -> tuple[dict[str, float], dict[str, int]]:
    """Seconds by part, and counts of what came out."""
    spent: dict[str, float] = defaultdict(float)
    counts: dict[str, int] = defaultdict(int)
    with ExitStack() as stack:
        for owner, attribute, part in _parts(profiles):
            timed = _timed(getattr(owner, attribute), part, spent)
            stack.enter_context(patch.object(owner, attribute, timed))
        if profile:
            stack.enter_context(profile)
        for records in rounds:
            with _measured("all", spent):
                done = step(profiles, records)
                _send(done, spent)
            counts["rows"] += done.touched
            counts["due rows"] += done.due
            counts["changes"] += len(done.outputs.changes)
    return spent, counts


def _parts(profiles: Profiles) -> Iterator[tuple[Any, str, str]]:
    # The package exports the function under the module's name.
    step_module, program = sys.modules[step.__module__], profiles.program
    yield type(program.decoder), "decode", "decode"
    yield step_module, "_place", "place"
    yield Profiles, "due_slots", "look for due"
    yield Profiles, "gather", "gather"
    yield type(program.features), "fold", "fold"
    yield step_module, "publish", "publish"
    yield type(program.features), "values", "  feature values"
    yield type(program.tags), "decide", "  decide tags"
    yield type(program.features), "due", "  next due"
    yield Profiles, "scatter", "scatter"


def _send(done: Step, spent: dict[str, float]) -> None:
    outputs = done.outputs
    with _measured("encode changes", spent):
        changes = list(outputs.encoded_changes())
    with _measured("encode states", spent):
        states = outputs.states
    for records in (changes, states, [*encode_strings(done.strings), *outputs.rows()]):
        with _measured("append to batches", spent):
            batches = list(_batches(records))
        with _measured("compress batches", spent):
            for batch in batches:
                batch.compress()


def _batches(records: Iterable[tuple[bytes, Any]]) -> Iterator[CompressedBatch]:
    left = starmap(Outgoing, records)
    record = next(left, None)
    while record is not None:
        batch = CompressedBatch(MAX_BATCH_BYTES, Settings.model_fields["compression"].default)
        record = batch.fill(chain((record,), left))
        yield batch


def _timed(function: Callable[..., Any], part: str, spent: dict[str, float]) -> Callable[..., Any]:
    def timed(*args: Any, **kwargs: Any) -> Any:
        with _measured(part, spent):
            return function(*args, **kwargs)

    return timed


@contextmanager
def _measured(part: str, spent: dict[str, float]) -> Iterator[None]:
    began = time.process_time()
    try:
        yield
    finally:
        spent[part] += time.process_time() - began


def _print(spent: dict[str, float], counts: dict[str, int], total: int) -> None:
    everything = spent.pop("all")
    named = sum(seconds for part, seconds in spent.items() if not part.startswith(" "))
    for part, seconds in (*spent.items(), ("the rest", everything - named), ("all", everything)):
        click.echo(f"{part:20} {seconds / total * 1e6:7.2f} µs/event")
    for name, number in counts.items():
        click.echo(f"{name:20} {number / total:7.3f} an event")


if __name__ == "__main__":
    main()
