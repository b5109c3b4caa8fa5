"""What is written for a version, given what is there."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stream_app.kafka.shelf import KEPT, Shelf, Written
from stream_app.learning.snapshot import current_key, key


def shelf(**versions: dict[int, bytes]) -> Shelf:
    """A shelf with versions by task."""
    found = {key(task, n): value for task, there in versions.items() for n, value in there.items()}
    return Shelf(found | {current_key(task): b"ignored" for task in versions})


def test_a_version_is_judged_by_number_and_content() -> None:
    there = shelf(buys={4: b"four", 5: b"five"})
    assert there.judge("buys", 6, b"six") == "new"
    assert there.judge("buys", 5, b"five") == "same"
    assert there.judge("buys", 5, b"other") == "other"
    assert there.judge("buys", 3, b"three") == "retired"
    assert there.judge("stays", 1, b"one") == "new"
    assert there.newest == {"buys": 5}


def test_a_new_version_comes_into_use_and_pushes_out_the_one_ten_back() -> None:
    there = shelf(buys={n: b"%d" % n for n in range(1, 11)})
    assert there.records("buys", 11, b"new") == [
        Written(b"buys:11", b"new"),
        Written(b"buys:current", b"new"),
        Written(b"buys:1", None),
    ]


def test_an_older_version_that_is_written_again_stays_out_of_use() -> None:
    there = shelf(buys={1: b"one", 2: b"two"})
    assert there.records("buys", 1, b"other") == [Written(b"buys:1", b"other")]
    assert there.records("buys", 2, b"other") == [
        Written(b"buys:2", b"other"),
        Written(b"buys:current", b"other"),
    ]


def test_going_back_deletes_what_is_beyond() -> None:
    there = shelf(buys={1: b"one", 2: b"two", 3: b"three"})
    there.put([Written(b"buys:current", b"three")])
    assert there.back_to("buys", 3, b"three") == []
    gone = [Written(b"buys:2", None), Written(b"buys:3", None)]
    assert there.back_to("buys", 1, None) == gone
    records = there.back_to("buys", 1, b"one")
    assert records == [Written(b"buys:current", b"one"), *gone]
    there.put(records)
    assert there.newest == there.in_use == {"buys": 1}
    assert there.judge("buys", 2, b"again") == "new"


def test_a_held_version_leaves_the_one_before_in_use() -> None:
    there = Shelf({b"buys:1": b"one", b"buys:current": b"one"})
    there.put(there.records("buys", 2, b"two", held=True))
    assert (there.newest, there.in_use) == ({"buys": 2}, {"buys": 1})


def test_names_with_colons_and_keys_that_are_no_version_do_no_harm() -> None:
    there = Shelf({b"a:b:2": b"x", b"no number": b"y", b"\xff:x": b"z"})
    assert there.newest == {"a:b": 2}


@given(st.lists(st.sampled_from(["buys", "stays"]), max_size=60))
def test_the_newest_ten_are_kept_and_what_is_put_is_the_same_afterwards(tasks: list[str]) -> None:
    there, topic, counts = Shelf({}), {}, {"buys": 0, "stays": 0}
    for task in tasks:
        counts[task] += 1
        value = b"%d" % counts[task]
        assert there.judge(task, counts[task], value) == "new"
        records = there.records(task, counts[task], value)
        there.put(records)
        for name, content in records:
            topic[name] = content
    for task, newest in counts.items():
        kept = range(max(1, newest - KEPT + 1), newest + 1)
        live = {name for name, value in topic.items() if value and name.startswith(task.encode())}
        assert live == {key(task, n) for n in kept} | ({current_key(task)} if newest else set())
        assert {there.judge(task, n, b"%d" % n) for n in kept} <= {"same"}
        assert {there.judge(task, n, b"") for n in range(1, kept.start)} <= {"retired"}


def test_a_held_version_is_kept_and_not_put_into_use() -> None:
    there = Shelf({b"buys:1": b"old"})
    assert there.records("buys", 2, b"new", held=True) == [Written(b"buys:2", b"new")]
