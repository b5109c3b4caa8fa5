"""Refused events are found, repaired, sent again, and counted once."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from support.broker import Message, environment, produce, read_to_end
from support.clicks import CATALOGUE, START, click, purchase

from stream_app.cli import main
from stream_app.domain.batch import PURCHASES
from stream_app.domain.partitioner import PARTITIONERS
from stream_app.kafka.dead_letter_queue.letters import Wanted
from stream_app.kafka.dead_letter_queue.repair import Repaired
from stream_app.kafka.dead_letter_queue.retry import read_letters, send
from stream_app.kafka.errors import Fatal
from stream_app.kafka.topics import TopicPlan
from stream_app.resolve import resolve

#: Old events under new record times.
SETTINGS = {"clock": "event", "retention_days": 36_500}


@pytest.fixture
def say(kafka, topics: TopicPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """`say(*arguments)` runs `stream-app dead-letters` against this test's topics."""
    catalogue = tmp_path / "shop.yaml"
    catalogue.write_text(CATALOGUE)
    env = environment(kafka.bootstrap_servers, topics, catalog=catalogue, **SETTINGS)
    for name, value in env.items():
        monkeypatch.setenv(name, value)

    async def run(*arguments: str, given: bytes | None = None) -> Result:
        command = ["dead-letters", *arguments]
        return await asyncio.to_thread(CliRunner().invoke, main, command, input=given)

    return run


async def dead_letters(servers: str, plan: TopicPlan, total: int) -> dict[str, str]:
    """PARTITION:OFFSET of the `total` dead letters by their reasons."""
    async with asyncio.timeout(30):
        while True:
            found = await read_to_end(servers, plan.dead_letters)
            letters = [(dict(r.headers), r) for r in found]
            named = {
                h["reason"].decode(): f"{r.partition}:{r.offset}"
                for h, r in letters
                if "reason" in h
            }
            if len(named) == total:
                return named
            await asyncio.sleep(0.05)


@pytest.mark.timeout(120)
async def test_what_was_refused_is_repaired_sent_again_and_counted_once(
    kafka, topics: TopicPlan, run_worker, say, tmp_path: Path
) -> None:
    servers = kafka.bootstrap_servers
    worker = await asyncio.to_thread(
        run_worker, servers, topics, catalog=tmp_path / "shop.yaml", **SETTINGS
    )
    nameless = json.dumps({"type": "page_view", "user_id": "bob", "occurred_at": START}).encode()
    sek = purchase("ann", 1, 60, currency="SEK")
    await produce(servers, topics.purchases, [Message(b"ann", sek, START)])
    await produce(
        servers,
        topics.clicks,
        [
            Message(b"bob", nameless, START),
            Message(b"cut", b'{"event_id": "cut', START),
            Message(b"long", b"x" * 70_000, START),
        ],
    )
    at = await dead_letters(servers, topics, 4)

    listed = json.loads((await say("list", "--format", "json")).output)
    assert {one["reason"]: one["letters"] for one in listed["counts"]} == dict.fromkeys(at, 1)
    assert {one["position"] for one in listed["letters"]} == set(at.values())
    shown = (await say("show", at["undeclared_currency"])).output
    assert sek.decode() in shown
    assert "now       it would be refused again: undeclared_currency" in shown
    assert "00000000  78 78" not in (await say("show", at["malformed"])).output

    # Nothing is sent that would be refused, nor by filters without --yes.
    for name, why in {
        "undeclared_currency": "undeclared_currency: ",
        "malformed": "malformed: ",
        "too_large": "only the first 65536 of 70000 bytes were kept",
    }.items():
        refused = await say("retry", at[name])
        assert refused.exit_code == 1
        assert f"{at[name]} would be refused again: {why}" in refused.stderr
    told = await say("retry", "--reason", "undeclared_currency", "--set", "currency=USD")
    assert (told.exit_code, told.stdout) == (0, f"{at['undeclared_currency']} would be sent\n")
    assert len(await read_to_end(servers, topics.purchases)) == 1

    ann = ("retry", at["undeclared_currency"], "--set", "currency=USD")
    sent = await say(*ann)
    assert f"{at['undeclared_currency']} is sent: {topics.purchases} " in sent.stdout, sent.stderr
    bob = await say("retry", at["invalid"])
    assert "1 sent" in bob.stderr
    edited = await say("retry", at["malformed"], "--edit", "-", given=click("eve", 5) + b"\n")
    assert "1 sent" in edited.stderr, edited.output
    # A second time nothing is sent; told to, it is, and the worker drops it by its id.
    assert "0 sent; 1 passed over" in (await say(*ann)).stderr
    assert "1 sent" in (await say(*ann, "--again")).stderr
    assert "1 sent" in (await say("retry", at["invalid"], "--again")).stderr
    await produce(servers, topics.purchases, [Message(b"ann", purchase("ann", 2, 41), START)])

    async with asyncio.timeout(30):
        while not (changes := [c for c in await tags(servers, topics) if c["tag"] == "spender"]):
            await asyncio.sleep(0.05)
    assert changes[0]["because"][0]["value"] == 101
    assert worker.metric("stream_app_duplicates_total") == 2
    assert {c["user_id"] for c in await tags(servers, topics) if c["tag"] == "visitor"} >= {
        "bob",
        "eve",
    }
    listed = json.loads((await say("list", "--format", "json")).output)
    retried = {one["reason"]: bool(one["retried"]) for one in listed["letters"]}
    assert retried == {name: name != "too_large" for name in at}
    (first, *_) = [r for r in await read_to_end(servers, topics.purchases) if r.headers]
    assert dict(first.headers)["dead-letter"].decode() == at["undeclared_currency"]
    assert (first.key, json.loads(first.value)["event_id"]) == (b"ann", "p1")


async def test_of_operators_at_once_one_sends_and_the_others_are_fenced_or_see_it(
    kafka, topics: TopicPlan, run_worker, say, tmp_path: Path
) -> None:
    servers = kafka.bootstrap_servers
    await asyncio.to_thread(run_worker, servers, topics, catalog=tmp_path / "shop.yaml", **SETTINGS)
    sek = purchase("ann", 1, 60, currency="SEK")
    await produce(servers, topics.purchases, [Message(b"ann", sek, START)])
    await dead_letters(servers, topics, 1)
    settings = resolve()
    (letter,) = (await read_letters(settings, Wanted())).letters
    event = Repaired(letter, PURCHASES, "ann", purchase("ann", 1, 60))
    ended = await asyncio.gather(
        *(send(settings, [event], PARTITIONERS["murmur2"]) for _ in range(4)),
        return_exceptions=True,
    )
    unexpected = [e for e in ended if isinstance(e, BaseException) and not isinstance(e, Fatal)]
    assert not unexpected
    await send(settings, [event], PARTITIONERS["murmur2"])
    assert len(await read_to_end(servers, topics.purchases)) == 2


async def test_a_position_where_nothing_is_and_a_topic_that_is_missing_are_told(
    topics: TopicPlan, say, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = await say("show", "3:9999")
    assert nothing.exit_code == 2
    assert "there is no dead letter 3:9999" in nothing.stderr
    assert "No dead letters" in (await say("list")).output
    monkeypatch.setenv("STREAM_APP_DEAD_LETTERS_TOPIC", f"{topics.app_id}-other")
    missing = await say("list")
    assert missing.exit_code == 2
    assert "`stream-app topics --apply` creates it" in missing.stderr


async def tags(servers: str, plan: TopicPlan) -> list[dict]:
    return [json.loads(r.value) for r in await read_to_end(servers, plan.tags)]
