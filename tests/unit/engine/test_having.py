"""Users by tag, counted at once, are those that the rows say one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st
from support.clicks import CATALOGUE, START, click, purchase
from support.learned import TEXT, models
from support.partition import Partition, program, records, settle
from support.tag_users import tag_users

from stream_app.engine import having, step
from stream_app.engine.outputs import tag_states
from stream_app.engine.profiles import Profiles
from stream_app.tagging.declarations import Learned, TagDeclaration

MORE = CATALOGUE.replace("clicks_24h >= 1", "clicks_24h >= 2")


def one_by_one(profiles: Profiles) -> Counter[str]:
    return Counter(tag for state in tag_states(profiles) for tag in state.tags)


def told(partition: Partition) -> dict[str, float]:
    """What the metric says, by tag."""
    return {
        sample.labels["tag"]: sample.value
        for family in partition.metrics.registry.collect()
        for sample in family.samples
        if sample.name == "stream_app_tag_users"
    }


async def test_counts_follow_every_round_restores_and_other_catalogues() -> None:
    partition = Partition()
    task = await partition.started()
    assert task.rounds is not None
    names = set(partition.program.catalogue.tags.names)
    assert told(partition) == dict.fromkeys(names, 0)
    for n, user in enumerate(["ann", "bob", "ann", "ann", "cy"]):
        look = click(user, n, START + n, type="view_item", item_category=f"c{n % 2}")
        task.offer(0, records([look], first=task.rounds.next[0], at=START + n))
        await settle()
        expected = one_by_one(task.rounds.profiles)
        assert {tag: n for tag, n in told(partition).items() if n} == expected
    task.offer(1, records([purchase("bob", 1, 500, START + 9)], first=0, at=START + 9))
    await settle()
    # Time passes: tags end.
    partition.now += 40 * 86_400_000
    task.offer(0, records([click("dan", 1, partition.now)], first=5, at=partition.now))
    await settle()
    assert not partition.failed, partition.failed
    expected = one_by_one(task.rounds.profiles)
    assert expected
    assert {tag: n for tag, n in told(partition).items() if n} == expected
    assert tag_users(partition.load().profiles) == {**dict.fromkeys(names, 0), **expected}

    less = MORE.replace("  regular:", "  steady:")
    assert less != MORE
    task.rounds.adopt(program(less))
    task.offer(0, records([click("dan", 2, partition.now)], first=6, at=partition.now))
    await settle()
    assert set(told(partition)) == set(program(less).catalogue.tags.names)
    expected = one_by_one(task.rounds.profiles)
    assert {tag: n for tag, n in told(partition).items() if n} == expected


async def test_tags_by_models_are_counted_too() -> None:
    partition = Partition(TEXT)
    partition.models = models()
    task = await partition.started()
    assert task.rounds is not None
    seen = [click(user, n, START + n) for n, user in enumerate(["ann", "bob", "ann", "cy"])]
    task.offer(0, records(seen, at=START))
    await settle()
    assert not partition.failed, partition.failed
    expected = one_by_one(task.rounds.profiles)
    learned = {t.name for t in declared(TEXT) if isinstance(t.form, Learned)}
    assert learned & set(expected)
    assert {tag: n for tag, n in told(partition).items() if n} == expected
    counts = tag_users(partition.load().profiles)
    assert {tag: n for tag, n in counts.items() if n} == expected


@given(st.lists(st.integers(0, 9), max_size=30), st.integers(1, 12))
def test_counted_in_pieces_of_any_size_it_is_the_same(users: list[int], at_once: int) -> None:
    profiles, sizes = Profiles(program()), []
    step(profiles, [records([click(f"u{user}", n) for n, user in enumerate(users)]), []])
    gather = profiles.gather
    with (
        patch.object(having, "_SLICE", at_once),
        patch.object(profiles, "gather", lambda slots: sizes.append(len(slots)) or gather(slots)),
    ):
        counts = tag_users(profiles)
    assert {tag: n for tag, n in counts.items() if n} == one_by_one(profiles)
    assert sum(sizes) == len(profiles)
    assert max(sizes, default=0) <= at_once


def declared(text: str) -> Iterable[TagDeclaration]:
    return program(text).catalogue.tags.declarations.values()
