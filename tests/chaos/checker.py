"""Says whether an application that is at rest has lost or doubled anything; reads only its topics.

    python tests/chaos/checker.py --servers 127.0.0.1:9092 --app-id shop clicks purchases tags \\
        tag-state dead-letters training models

Prints a verdict; exits with 1 where something is wrong, after the first differences. Knows nothing
of the program: neither its code, nor what was sent, nor what happened.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from chaos.checks import check_all
from chaos.lives import DAY_MS, KEPT, Retention
from chaos.records import read

ROLES = ("clicks", "purchases", "tags", "tag-state", "dead-letters", "training", "models")
#: So many differences of a check are shown.
SHOWN = 5


def verdict(found: Sequence[tuple[str, Sequence[str]]]) -> str:
    """What was found, as text for people."""
    lines = []
    for promise, differences in found:
        lines.append(f"{'ok    ' if not differences else 'BROKEN'}  {promise}")
        lines += [f"          {difference}" for difference in differences[:SHOWN]]
        if len(differences) > SHOWN:
            lines.append(f"          and {len(differences) - SHOWN} more")
    return "\n".join(lines)


async def check(servers: str, names: dict[str, str], retention: Retention) -> int:
    """Print the verdict on the topics `names` (by role); 1 where something is wrong."""
    topics = await read(servers, list(names.values()))
    if not topics[names["routed"]].parts:
        # It is there only where events may be routed.
        del names["routed"]
    found, seen = check_all({role: topics[name] for role, name in names.items()}, retention)
    print(verdict(found))
    counts = ("transactions", "events", "repeated", "routed", "refused", "changes", "samples")
    counts += ("models", *(("forgotten", "came back", "undecided") * (retention != KEPT)))
    print("looked at:", ", ".join(f"{seen.counts[name]:,} {name}" for name in counts))
    print(f"hidden from readers of what is committed: {seen.counts['hidden']:,} records")
    return int(any(differences for _, differences in found))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--servers", required=True)
    parser.add_argument("--app-id", required=True)
    parser.add_argument("topics", nargs="+", metavar="TOPIC", help=" ".join(ROLES))
    parser.add_argument(
        "--idle-days", type=float, metavar="DAYS", help="idle_retention of the catalogue"
    )
    given = parser.parse_args()
    names = dict(zip(ROLES, given.topics, strict=False))
    names["changelog"] = f"{given.app_id}-profiles-changelog"
    names["routed"] = f"{given.app_id}-routed"
    kept = KEPT if given.idle_days is None else Retention(int(given.idle_days * DAY_MS))
    return asyncio.run(check(given.servers, names, kept))


if __name__ == "__main__":
    sys.exit(main())
