"""Versions of what the contenders use, asked in their own environments."""

from __future__ import annotations

import subprocess
from pathlib import Path

from bench.peers.roster import Contender, python

_PACKAGES = ("faust-streaming", "quixstreams", "bytewax", "apache-flink")
_ASK = (
    "import importlib.metadata as m, platform\n"
    "for name in {names!r}:\n"
    "    try: print(name, m.version(name))\n"
    "    except m.PackageNotFoundError: pass\n"
    "print('python', platform.python_version())"
)


def installed(contender: Contender) -> bool:
    """Is its environment there?"""
    return Path(python(contender.environment)).exists()


def versions(contenders: list[Contender]) -> dict[str, str]:
    """Of the frameworks; River and Python by environment, where they differ."""
    found: dict[str, str] = {}
    for contender in contenders:
        if not installed(contender):
            continue
        command = [python(contender.environment), "-c", _ASK.format(names=(*_PACKAGES, "river"))]
        asked = subprocess.run(command, capture_output=True, text=True, check=False)
        if asked.returncode:
            continue  # Its trials will say what is wrong with it.
        own = dict(line.split() for line in asked.stdout.splitlines())
        where = contender.environment or "Faust"
        found |= {name: own[name] for name in _PACKAGES if name in own}
        found |= {f"{name} of {where}": own[name] for name in ("river", "python") if name in own}
    return found
