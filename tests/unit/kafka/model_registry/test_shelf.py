"""What is written for a version, given what is there."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from support.trainer import model

from stream_app.kafka.model_registry.pins import pin, pin_key
from stream_app.kafka.model_registry.shelf import KEPT, Shelf, Written
from stream_app.learning.snapshot import State, current_key, encode, key


def shelf(**versions: dict[int, bytes]) -> Shelf:
    """A shelf with versions by task."""
    found = {key(task, n): value for task, there in versions.items() for n, value in there.items()}
    return Shelf(found | {current_key(task): b"ignored" for task in versions})


def judged(there: Shelf, version: int, weight: float = 0.0, state: State = "live") -> str:
    found = replace(model(version, weight), state=state)
    return there.judge(found, encode(found))


def test_a_version_is_judged_by_number_and_content() -> None:
    there = shelf(counted={4: encode(model(4)), 5: encode(model(5))})
    assert judged(there, 6) == "new"
    assert judged(there, 5) == "same"
    assert judged(there, 5, 1.0) == "other"
    assert judged(there, 3) == "retired"
    assert judged(Shelf({}), 1) == "new"
    assert there.newest == {"counted": 5}


def test_a_version_that_was_held_and_is_live_now_is_a_released_one_whichever_is_there() -> None:
    live, held = model(4), replace(model(4), state="held")
    assert judged(shelf(counted={4: encode(held)}), 4) == "released"
    assert judged(shelf(counted={4: encode(live)}), 4, state="held") == "same"
    assert judged(shelf(counted={4: encode(held)}), 4, 1.0) == "other"
    assert judged(shelf(counted={4: encode(live)}), 4, state="warming") == "other"


def test_a_released_version_comes_into_use_though_held_ones_came_after_it() -> None:
    there = Shelf({b"a:1": b"1", b"a:2": b"2", b"a:3": b"3", b"a:current": b"1"})
    released = [Written(b"a:2", b"two"), Written(b"a:current", b"two")]
    assert there.records("a", 2, b"two", released=True) == released
    there.put([Written(b"a:current", b"3")])
    assert there.records("a", 2, b"two", released=True) == released[:1]


class TestPins:
    def there(self) -> Shelf:
        found = {key("counted", n): encode(model(n)) for n in range(1, 11)}
        pins = {pin_key("counted"): pin(1), current_key("counted"): found[key("counted", 1)]}
        return Shelf(found | pins)

    def test_a_pinned_version_stays_in_use_and_is_never_deleted(self) -> None:
        there = self.there()
        assert there.pins == {"counted": 1}
        there.put(there.records("counted", 11, encode(model(11))))
        assert there.in_use == {"counted": 1}
        records = there.records("counted", 12, encode(model(12)))
        assert records == [
            Written(b"counted:12", encode(model(12))),
            Written(b"counted:2", None),
        ]
        assert there.repairs("counted") == []

    def test_another_version_in_use_than_the_pinned_one_is_repaired(self) -> None:
        there = self.there()
        there.put([Written(b"counted:current", encode(model(10)))])
        assert there.repairs("counted") == [Written(b"counted:current", encode(model(1)))]

    def test_without_a_pin_the_newest_that_is_not_held_comes_into_use(self) -> None:
        there = self.there()
        held = encode(replace(model(11), state="held"))
        there.put([Written(b"counted:pin", None), Written(b"counted:11", held)])
        there.put([Written(b"counted:12", b"damaged")])
        assert there.repairs("counted") == [Written(b"counted:current", encode(model(10)))]

    def test_going_back_leaves_the_pinned_version(self) -> None:
        there = self.there()
        there.put([Written(b"counted:pin", pin(10)), Written(b"counted:current", b"ten")])
        gone = there.back_to("counted", 8, b"eight")
        assert gone == [Written(b"counted:9", None)]

    def test_a_pin_that_is_none_pins_nothing(self) -> None:
        for value in (b"", b"x", b"{}", b"[" * 100_000, b'{"version":"1"}'):
            assert Shelf({pin_key("a"): value}).pins == {}


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
        records = there.records(task, counts[task], value)
        there.put(records)
        for name, content in records:
            topic[name] = content
    for task, newest in counts.items():
        kept = range(max(1, newest - KEPT + 1), newest + 1)
        live = {name for name, value in topic.items() if value and name.startswith(task.encode())}
        assert live == {key(task, n) for n in kept} | ({current_key(task)} if newest else set())
        assert there.newest.get(task, 0) == there.in_use.get(task, 0) == newest


def test_a_held_version_is_kept_and_not_put_into_use() -> None:
    there = Shelf({b"buys:1": b"old"})
    assert there.records("buys", 2, b"new", held=True) == [Written(b"buys:2", b"new")]
