"""`python -m bench.peers.install`: an environment a peer under .cache/peers, and Flink's jars.

The peers need versions that contradict ours and one another (numpy, protobuf, confluent-kafka), so
each has its own environment, from `requirements/NAME.lock` with hashes. Bytewax and PyFlink have no
wheels for Python 3.13. What is installed already is left alone; what cannot be had is told, and the
others are measured without it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import click

from bench.peers.roster import CACHE, JARS, python

ENVIRONMENTS = ("quix", "bytewax", "flink")
REQUIREMENTS = Path(__file__).parent / "requirements"
#: By coordinates; the connector for 2.2 is the newest and runs on 2.3. It lacks zstd.
COORDINATES = (
    "org.apache.flink:flink-sql-connector-kafka:5.0.0-2.2",
    "com.github.luben:zstd-jni:1.5.6-10",
)
NEWEST = (3, 12)


def install(name: str) -> None:
    """Make the environment unless it is that of its lock file; raises when pip fails."""
    lock, stamp = REQUIREMENTS / f"{name}.lock", CACHE / name / ".lock"
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    click.echo(f"Installing what {name} needs (once)")
    shutil.rmtree(CACHE / name, ignore_errors=True)
    subprocess.run([_interpreter(), "-m", "venv", str(CACHE / name)], check=True)
    pip = [python(name), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    # Some of what Beam needs comes as source, which older ways of building must be there for.
    subprocess.run([*pip, "setuptools<81", "wheel"], check=True)
    subprocess.run([*pip, "--require-hashes", "-r", str(lock)], check=True)
    stamp.write_text(wanted)


def _interpreter() -> str:
    """A Python that all have wheels for; PEERS_PYTHON names one."""
    if given := os.environ.get("PEERS_PYTHON"):
        return given
    if sys.version_info[:2] <= NEWEST:
        return sys.executable
    for name in ("python3.12", "python3.11"):
        if found := shutil.which(name):
            return found
    raise click.ClickException("no Python 3.11 or 3.12 here: name one in PEERS_PYTHON")


def jars() -> None:
    """Fetch Flink's connector and what it lacks from Maven Central, by the resolver of jgo."""
    import jgo

    for coordinates, jar in zip(COORDINATES, JARS, strict=True):
        if jar.exists():
            continue
        click.echo(f"Fetching {coordinates}")
        artifact = coordinates.split(":")[1]
        found = [Path(each) for each in jgo.build(coordinates).all_jars]
        chosen = next(each for each in found if each.name.startswith(artifact))
        shutil.copy(chosen.resolve(), jar)


def main() -> None:
    """Install all; what fails is told, and ends nothing."""
    CACHE.mkdir(parents=True, exist_ok=True)
    for name in ENVIRONMENTS:
        try:
            install(name)
            if name == "flink":
                jars()
        except (OSError, subprocess.CalledProcessError, click.ClickException) as error:
            click.echo(f"{name} is left out: {error}", err=True)


if __name__ == "__main__":
    main()
