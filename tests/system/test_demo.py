"""The demo as a newcomer runs it, on a small part of the year, against the broker-free replay."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from stream_app.cli._demo.errors import DemoError
from stream_app.cli._demo.process import DemoProcess
from stream_app.kafka.embedded import running_on

#: Four programs one after the other, each of which takes seconds to start.
pytestmark = pytest.mark.timeout(300)

PART = ("--households", "12", "--to", "2017-02-01")
#: What one commit more or less in between does not change: nothing of time, nothing that lingers.
CATALOGUE = """\
features:
  clicks_total: {count: clicks, window: all}
  shares_total: {count: share, window: all}
  orders_total: {count: purchase, window: all}
  spend_total: {sum: purchase.value, window: all}
tags:
  busy: {class: behaviour, description: Clicks a lot., when: clicks_total >= 100}
  buyer: {class: lifecycle, description: Has bought., when: orders_total >= 1}
  sharer: {class: social, description: Has shared., when: shares_total >= 1}
  spends:
    class: spending
    description: How much was spent.
    values: {much: spend_total >= 100, some: spend_total > 0}
"""


def stream_app(folder, *arguments, **env):
    """What a command prints to standard output; it must succeed."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("STREAM_APP")}
    done = subprocess.run(
        [sys.executable, "-m", "stream_app", *map(str, arguments)],
        env=clean | env,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def catalogue(tmp_path):
    file = tmp_path / "catalogue.yaml"
    file.write_text(CATALOGUE)
    return file


def expected(folder, catalogue):
    """Events by user, and the final tags by user, without any broker."""
    stream_app(folder, "data", *PART, "--out", "shop.ndjson")
    stream_app(folder, "replay", "shop.ndjson", "--catalog", catalogue, "--tags", "tags.ndjson")
    lines = (folder / "shop.ndjson").read_text().splitlines()
    states = map(json.loads, (folder / "tags.ndjson").read_text().splitlines())
    return (
        Counter(json.loads(line)["user_id"] for line in lines),
        {state["user_id"]: set(state["tags"]) for state in states},
    )


def users_by_class(out):
    """The column `users` of the table of classes."""
    rows = re.findall(r"^ +(\w+) +(\d+) of (\d+) +[\d,]+ ", out, re.MULTILINE)
    return {name: (int(users), int(of)) for name, users, of in rows}


def test_the_summary_is_what_a_replay_says_and_nothing_is_left_running(tmp_path, catalogue):
    out = stream_app(
        tmp_path, "demo", *PART, "--seconds", "4", STREAM_APP_CATALOG=str(catalogue)
    )  # fmt: skip
    events, tags = expected(tmp_path, catalogue)
    told = re.search(r"([\d,]+) events of (\d+) users", out.partition("What happened")[2])
    assert told.groups() == (f"{events.total():,}", str(len(events)))

    holders = defaultdict(int)
    for held in tags.values():
        for name, cls in {
            "busy": "behaviour", "buyer": "lifecycle", "sharer": "social", "spends": "spending",
        }.items():  # fmt: skip
            holders[cls] += name in held
    assert users_by_class(out) == {cls: (n, len(events)) for cls, n in holders.items()}

    busiest = sorted(events.items(), key=lambda pair: (-pair[1], pair[0]))[:5]
    assert re.findall(r"^(h\d+)  ([\d,]+) events$", out, re.MULTILINE) == [
        (user, f"{n:,}") for user, n in busiest
    ]
    assert re.search(r"^  busy +since .*: clicks_total 1\d\d ≥ 100$", out, re.MULTILINE)
    assert "clicks are simulated" in out
    assert running_on(tmp_path / ".demo" / "kafka") is None
    assert "stream-app tail" in out or "python -m stream_app tail" in out


async def topic_names(servers):
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        return set(await admin.list_topics())
    finally:
        await admin.close()


def test_on_a_cluster_it_leaves_no_topic_behind(tmp_path, kafka, catalogue):
    before = asyncio.run(topic_names(kafka.bootstrap_servers))
    out = stream_app(
        tmp_path, "demo", "--households", "3", "--to", "2017-01-05", "--seconds", "0",
        STREAM_APP_CATALOG=str(catalogue), STREAM_APP_BOOTSTRAP_SERVERS=kafka.bootstrap_servers,
    )  # fmt: skip
    assert "What happened" in out
    after = asyncio.run(topic_names(kafka.bootstrap_servers))
    assert not {name for name in after - before if name.startswith("demo-")}
    assert not Path(tmp_path, ".demo", "kafka").exists()


def test_a_worker_that_cannot_start_says_why(tmp_path):
    worker = DemoProcess(
        "worker", {"STREAM_APP_PARTITIONS": "none"}, tmp_path / "worker.log", bound=True
    )
    with pytest.raises(DemoError, match=r"exit code 2") as caught:
        worker.wait_ready()
    assert "STREAM_APP_PARTITIONS=none" in "\n".join(caught.value.log)
    worker.stop(10)
