"""Writes what the version on the path leaves in a changelog, and what it says of it.

For `tests/data/changelogs`; run it with an older commit's package, as told in tests/data/README.md:
it uses nothing that the first versions did not have.
"""

from __future__ import annotations

import base64
import gzip
import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

from stream_app.domain.clock import from_rfc3339
from stream_app.engine.catalogue import load_catalogue
from stream_app.engine.changelog import Meta, encode_layout, encode_meta, encode_strings
from stream_app.engine.outputs import tag_states
from stream_app.engine.profiles import Profiles
from stream_app.engine.step import step

EVENTS = Path(__file__).parents[1] / "data" / "shop.ndjson.gz"
USERS = 8
_HOUR = 3_600_000


class Record(NamedTuple):
    """An event as a step takes it."""

    value: bytes
    timestamp: int
    offset: int


def written(catalogue: str) -> dict[str, Any]:
    """The changelog of some users, compacted, with their features and tags."""
    program = load_catalogue(catalogue).compile()
    profiles, log = Profiles(program), {}
    key, value = encode_layout(program.layout)
    log[key] = value
    following = [0, 0]
    for records in _rounds():
        done = step(profiles, records)
        log.update(encode_strings(done.strings))
        # A list in the first versions.
        rows: Any = done.outputs.rows
        log.update((key, bytes(row)) for key, row in (rows() if callable(rows) else rows))
        following = [old + len(new) for old, new in zip(following, records, strict=True)]
    meta = Meta(
        next={"clicks": following[0], "purchases": following[1]},
        time=profiles.time,
        layout=f"{program.layout.fingerprint:016x}",
        strings=len(profiles.dictionary),
        revision=program.catalogue.revision,
    )
    log.update([encode_meta(meta)])
    return {
        "catalogue": Path(program.catalogue.file).read_text(),
        "at": profiles.time,
        "features": dict(profiles.read_all(profiles.time)),
        "tags": {state.user_id: dict(state.tags) for state in tag_states(profiles)},
        "records": [[_text(key), _text(value)] for key, value in log.items()],
    }


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _rounds() -> list[list[list[Record]]]:
    """An hour's events of the first users, clicks and purchases."""
    rounds: dict[int, list[list[Record]]] = defaultdict(lambda: [[], []])
    users: dict[str, None] = {}
    with gzip.open(EVENTS) as lines:
        for number, line in enumerate(lines):
            event = json.loads(line)
            if len(users) < USERS:
                users[event["user_id"]] = None
            if event["user_id"] in users:
                at = _moment(event["occurred_at"])
                topic = event["type"] in ("purchase", "refund")
                rounds[at // _HOUR][topic].append(Record(line.strip(), at, number))
    return [rounds[hour] for hour in sorted(rounds)]


def _moment(text: str | int) -> int:
    return text if isinstance(text, int) else from_rfc3339(text)


def main(catalogue: str, commit: str, out: str) -> None:
    """Write the file, the same bytes each time."""
    content = {"commit": commit, **written(catalogue)}
    text = json.dumps(content, ensure_ascii=False, sort_keys=True).encode()
    Path(out).write_bytes(gzip.compress(text, mtime=0))


if __name__ == "__main__":
    main(*sys.argv[1:])
