"""Drawn faults: what happens when, to which of them, for how long. Pure: a seed says it all."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Kind(NamedTuple):
    """A kind of fault: it lasts from `least` to `most` seconds; `lane` says what it happens to."""

    name: str
    lane: str
    least: float
    most: float


class Traits(NamedTuple):
    """What a run is like beside its faults.

    `anyhow`: producers place events anyhow, and clicks have `clicks` partitions. `cold`: most
    profiles are on disk, in a folder that a kill leaves (`kept`) or takes with it (`lost`). `to`:
    half-way the state is spread over so many partitions, by a command that is killed at `step` and
    run again; 0 for never. `standbys`: so many other workers keep a copy of each partition.
    `forgetting`: users leave for so long that they are forgotten, and come back.
    """

    anyhow: bool
    clicks: int
    cold: str
    to: int
    step: str
    standbys: int = 0
    forgetting: bool = False

    def __str__(self) -> str:
        told = [f"producers place events anyhow, clicks on {self.clicks} partitions"] * self.anyhow
        told += [f"profiles on disk, {self.cold} by kills"] * bool(self.cold)
        told += [f"then {self.to} partitions, killed at {self.step!r}"] * bool(self.to)
        told += ["partitions have standbys"] * bool(self.standbys)
        told += ["idle users are forgotten"] * self.forgetting
        return "; ".join(told)


#: Producers place events by their user, all is in memory, partitions stay as many, and users too.
PLAIN = Traits(False, 0, "", 0, "")


class Fault(NamedTuple):
    """Kind `kind` strikes after `at` seconds for `lasts` seconds; `target` counts from 0."""

    at: float
    kind: str
    target: int
    lasts: float

    def __str__(self) -> str:
        return f"{self.at:6.1f} s  {self.kind:<14} {self.target}  for {self.lasts:4.1f} s"


#: What may happen to the program and its input, whatever Kafka is like. Longer than the session
#: of 6 s is what makes a zombie.
PROGRAM = (
    Kind("kill", "program", 0.1, 2.0),
    Kind("zombie", "program", 9.0, 12.0),
    Kind("restart-all", "program", 0.1, 1.0),
    Kind("kill-all", "program", 0.1, 2.0),
    Kind("kill-trainer", "program", 0.1, 3.0),
    Kind("flood", "input", 0.1, 0.1),
)
#: To the only broker.
BROKER = (
    Kind("broker-killed", "kafka", 0.5, 3.0),
    Kind("broker-frozen", "kafka", 2.0, 9.0),
)
#: To one of three, or to who leads.
CLUSTER = (
    Kind("broker-killed", "kafka", 3.0, 8.0),
    Kind("broker-frozen", "kafka", 2.0, 9.0),
    Kind("leaders-moved", "kafka", 0.5, 2.0),
)
#: Between the program and the brokers.
NETWORK = (
    Kind("slow", "kafka", 3.0, 8.0),
    Kind("cut", "kafka", 0.5, 3.0),
    Kind("swallowed", "kafka", 2.0, 9.0),
)
DISK = (Kind("disk-full", "kafka", 0.1, 2.0),)
#: The wall clock of all workers is wrong, and then right again.
CLOCK = (Kind("clock-jump", "clock", 1.5, 5.0),)

#: What lies between the end of a fault and the next one of the same lane, in seconds.
PAUSE = (1.0, 6.0)
TARGETS = 12

#: At which steps the command that adds partitions is killed.
STEPS = ("begun", "noted", "grown", "prepared", "moving", "moved:3", "ending")


def traits(seed: int) -> Traits:
    """What a run is like: one of the three ways at least, often several."""
    rng = random.Random(f"{seed} traits")
    ways = rng.randrange(1, 8)
    clicks, cold = rng.choice((2, 3, 6, 8)), rng.choice(("kept", "lost"))
    to, step = rng.choice((6, 8)), rng.choice(STEPS)
    anyhow = bool(ways & 1)
    return Traits(
        anyhow,
        clicks if anyhow else 0,
        cold if ways & 2 else "",
        to if ways & 4 else 0,
        step,
        standbys=rng.randrange(2),
        forgetting=bool(rng.randrange(2)),
    )


def draw(
    seed: int | str, seconds: float, kinds: Iterable[Kind], pause: tuple[float, float] = PAUSE
) -> list[Fault]:
    """Faults by time, for at least `seconds`; every one of `kinds` occurs at least once.

    Within a lane one follows the other; lanes know nothing of one another, so that a broker may
    die while a worker starts. Targets are below TARGETS: take them modulo what there is.
    """
    by_lane: dict[str, list[Kind]] = {}
    for kind in kinds:
        by_lane.setdefault(kind.lane, []).append(kind)
    lanes = (
        _lane(random.Random(f"{seed} {lane}"), seconds, lane_kinds, pause)
        for lane, lane_kinds in by_lane.items()
    )
    return sorted(fault for lane in lanes for fault in lane)


def _lane(
    rng: random.Random, seconds: float, kinds: Sequence[Kind], pause: tuple[float, float]
) -> list[Fault]:
    """Deck after deck of all kinds, each shuffled; the first is played to its end."""
    faults: list[Fault] = []
    now = rng.uniform(*pause)
    while not faults or now < seconds:
        for kind in rng.sample(kinds, len(kinds)):
            if now >= seconds and len(faults) >= len(kinds):
                break
            lasts = round(rng.uniform(kind.least, kind.most), 1)
            faults.append(Fault(round(now, 1), kind.name, rng.randrange(TARGETS), lasts))
            now += lasts + rng.uniform(*pause)
    return faults


def only(kinds: Iterable[Kind], *names: str) -> list[Kind]:
    """Those of `kinds` with these names."""
    return [kind for kind in kinds if kind.name in names]


def shown(seed: int, faults: Sequence[Fault]) -> str:
    """The schedule as text."""
    return "\n".join([f"schedule of seed {seed}: {len(faults)} faults", *map(str, faults)])
