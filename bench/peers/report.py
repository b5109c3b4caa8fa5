"""From bench/peers/results.json to the tables of docs/performance.md.

`python -m bench.peers.report` writes them between the page's marks.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from bench.peers.claims import CLAIMS, ROWS
from bench.peers.roster import CONTENDERS
from bench.peers.trials import Sizes
from bench.processes import ROOT

RESULTS: Final = ROOT / "bench" / "peers" / "results.json"
PAGE: Final = ROOT / "docs" / "performance.md"
BEGIN: Final = "<!-- peers -->"
END: Final = "<!-- end of peers -->"
#: Kills of a trial.
KILLS: Final = 2
#: Of a machine with two cores: more than this waited already.
BUSY: Final = 1.0
_TITLES: Final = {contender.name: contender.title for contender in CONTENDERS}
_FORGETFUL: Final = {contender.name for contender in CONTENDERS if not contender.survives}

Found = Mapping[str, Any]


def table(found: Found) -> str:
    """All tables and what they were measured on, as Markdown."""
    entries = {n: found["contenders"][n] for n in _TITLES if n in found.get("contenders", {})}
    parts = [_measured(entries), _rounds(entries), _failures(entries), _provenance(found)]
    return "\n\n".join(part for part in parts if part)


def _measured(entries: Found) -> str:
    """What each guarantees, by its documents, and what it did."""
    lines = [
        f"| | {' | '.join(ROWS)} | events/s | CPU µs/event | broker µs/event "
        "| peak MB | the job done right | after two kill -9 |",
        "|---" * (len(ROWS) + 1) + "|---:|---:|---:|---:|---|---|",
    ]
    for name, entry in entries.items():
        rounds = _whole(entry)
        cells = [*CLAIMS[name], _rate(rounds)]
        cells += [_median(rounds, "cpu_us_per_event", 1), _median(rounds, "broker_us_per_event", 1)]
        cells += [_median(rounds, "peak_bytes", 1e-6), _right(entry), _survived(name, entry)]
        lines.append(f"| {_TITLES[name]} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _rate(rounds: list[Found]) -> str:
    """The median; told where a round had no steady window."""
    ends = "" if all(r["steady"] for r in rounds) else " (not steady)"
    return _median(rounds, "events_per_second", 1) + ends


def _rounds(entries: Found) -> str:
    """Every round: its window, and how busy the machine was when it began."""
    lines = [
        "| each round | events/s (CPU µs/event) | events and seconds of the window "
        "| of the whole backlog | warmed up for s | load average |",
        "|---|---|---|---|---|---|",
    ]
    for name, entry in entries.items():
        rounds = _whole(entry)
        columns = (
            [f"{r['events_per_second']:,.0f} ({r['cpu_us_per_event']:.0f})" for r in rounds],
            [f"{r['window_events']:,} in {r['window_seconds']:.1f}" for r in rounds],
            [f"{r['events']:,} in {r['seconds']:.1f}" for r in rounds],
            [f"{r['warm_up_seconds']:.0f}" for r in rounds],
            [f"{r['load_average']:.1f}" for r in rounds],
        )
        cells = " | ".join("; ".join(column) or "–" for column in columns)
        lines.append(f"| {_TITLES[name]} | {cells} |")
    return "\n".join(lines)


def _whole(entry: Found) -> list[Found]:
    return [each for each in entry.get("rate", []) if "failed" not in each]


def _median(rounds: list[Found], name: str, factor: float) -> str:
    if not rounds:
        return "–"
    return f"{statistics.median(r[name] for r in rounds) * factor:,.0f}"


def _right(entry: Found) -> str:
    found = entry.get("check")
    if found is None:
        return "–"
    if "failed" in found:
        return "could not be run"
    wrong = max((r["tags_differ"] for r in _whole(entry)), default=0)
    if not found["equal"]:
        users = max(found["features_differ"], found["tags_differ"])
        return f"**wrong** for {users} of {found['users']} users"
    return f"**wrong** for {wrong} users of a backlog" if wrong else "yes"


def _survived(name: str, entry: Found) -> str:
    """What kills did: to state and tags, and to the chain of published changes."""
    if name in _FORGETFUL:
        return "not tried: it keeps nothing"
    found = entry.get("kill")
    if found is None:
        return "–"
    if "failed" in found:
        return "did not come back"
    amid = found["kills_amid_a_wave"]
    told = [] if amid == KILLS else [f"({amid} of {KILLS} kills hit it at work)"]
    if found["once"]:
        return " ".join(["equal, each change once", *told])
    of_all = f"of {found['users']} users"
    if found["features_differ"]:
        told.append(f"**wrong** for {found['features_differ']} {of_all}")
    elif found["tags_differ"]:
        told.append(
            f"state right, its changes lead to **wrong** tags of {found['tags_differ']} {of_all}"
        )
    if found["repeated"]:
        contradicting = found["contradicting"]
        more = f", {contradicting:,} of them with other content" if contradicting else ""
        told.append(f"{found['repeated']:,} changes twice{more}")
    if found["missing"]:
        told.append(f"{found['missing']:,} changes missing")
    return "; ".join(told)


def _failures(entries: Found) -> str:
    return "\n".join(f"- {line}" for line in _failed(entries))


def _failed(entries: Found) -> Iterator[str]:
    for name, entry in entries.items():
        trials = {"check": [entry.get("check")], "kill": [entry.get("kill")]}
        for trial, each in {**trials, "rate": entry.get("rate", [])}.items():
            for found in each:
                if found and "failed" in found:
                    yield f"{_TITLES[name]}, {trial}: {found['failed']}"


def _provenance(found: Found) -> str:
    about = found.get("about")
    if not about:
        return ""
    machine, versions = about["machine"], about["versions"]
    loads = [r["load_average"] for e in found["contenders"].values() for r in _whole(e)]
    text = (
        f"{machine['cores']} cores ({machine['processor']}), {machine['memory_gb']} GB, "
        f"{machine['system']}; the broker on the same machine. Apache Kafka {versions['kafka']}, "
        f"{', '.join(f'{k} {v}' for k, v in found.get('versions', {}).items())}. {about['date']}."
    )
    if alone := found.get("job_us_per_event"):
        text += (
            f" The job alone, in a loop without Kafka, framework or store: {alone:.0f} µs an event."
        )
    checked = [
        e["check"]["users"] for e in found["contenders"].values() if "users" in e.get("check", ())
    ]
    if checked and min(checked) < Sizes.users:
        text += f" **What is right was checked with {min(checked)} users, in smaller waves.**"
    if (share := about["sizes"]["share"]) != 1:
        text += f" **Users and backlogs were {share:g} of their whole size.**"
    if loads and max(loads) > BUSY:
        text += (
            f" **The machine was not quiet**: its load average before the rounds was "
            f"{min(loads):.1f} to {max(loads):.1f}, which also counts the contenders themselves. "
            "Take CPU an event, not the rates, and repeat it on a quiet machine."
        )
    return text


def write_page(found: Found, page: Path = PAGE) -> None:
    """Put the tables between the page's marks; ValueError without marks."""
    before, begin, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{page} lacks {BEGIN} or {END}")
    page.write_text(f"{before}{begin}\n{table(found)}\n{end}{after}")


if __name__ == "__main__":
    write_page(orjson.loads(RESULTS.read_bytes()))
