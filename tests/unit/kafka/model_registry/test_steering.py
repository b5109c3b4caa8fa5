"""What operators may do with versions, and what they are told where they may not."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.learned import learned, logistic, model

from stream_app.kafka.model_registry.models import ModelsError
from stream_app.kafka.model_registry.pins import pin, pin_key
from stream_app.kafka.model_registry.shelf import Shelf, Written
from stream_app.kafka.model_registry.steering import Change, Published
from stream_app.learning.declaration import Learning
from stream_app.learning.snapshot import State, current_key, encode, key
from stream_app.learning.training import Release

DAY = 86_400_000


def record(version: int, state: State = "live", *columns: str) -> bytes:
    found = model("buys", logistic(*(columns or ("clicks_24h", "spend_30d"))), version)
    return encode(replace(found, state=state, created_at=version * DAY))


def topic(in_use: int, *states: State, pinned: int | None = None) -> dict[bytes, bytes]:
    """Versions from 1 on in these states."""
    versions = {key("buys", n): record(n, state) for n, state in enumerate(states, 1)}
    found = versions | {current_key("buys"): versions[key("buys", in_use)]}
    return found | ({} if pinned is None else {pin_key("buys"): pin(pinned)})


def after(found: dict[bytes, bytes], change: Change) -> Shelf:
    there = Shelf(found)
    there.put(Written(name, value) for name, value, _ in change.records)
    return there


@pytest.fixture(scope="module")
def learning() -> Learning:
    found = learned().catalogue.learning
    assert found is not None
    return found


def test_a_pin_puts_its_version_into_use_in_the_same_transaction(learning: Learning) -> None:
    found = topic(3, "live", "live", "live")
    change = Published.of(found, "buys").pinning(1, learning)
    there = after(found, change)
    assert (change.version, there.pins, there.in_use) == (1, {"buys": 1}, {"buys": 1})
    assert there.repairs("buys") == []


def test_back_is_to_the_live_version_before(learning: Learning) -> None:
    found = topic(5, "live", "unreachable", "live", "held", "live")
    assert Published.of(found, "buys").back(learning).version == 3
    assert Published.of(topic(3, "live", "held", "live"), "buys").back(learning).version == 1


def test_unpinned_the_newest_that_is_not_held_comes_into_use() -> None:
    found = topic(1, "live", "live", "unreachable", "held", pinned=1)
    found[key("buys", 5)] = b"damaged"
    change = Published.of(found, "buys").unpinning()
    there = after(found, change)
    assert (change.version, there.pins, there.in_use) == (3, {}, {"buys": 3})
    assert there.repairs("buys") == []


@pytest.mark.parametrize(("asked", "version"), [(None, 3), (2, 2)])
def test_what_is_held_is_released(asked: int | None, version: int) -> None:
    found = topic(1, "live", "held", "held")
    assert Published.of(found, "buys").releasing(asked) == Release("buys", version, version * DAY)


def test_a_release_shows_in_what_is_published() -> None:
    assert not Published.of(topic(1, "live", "held"), "buys").released(2)
    assert Published.of(topic(2, "live", "live"), "buys").released(2)


class TestRefusals:
    def refusal(self, found: dict[bytes, bytes], what: str, *given: object) -> str:
        with pytest.raises(ModelsError) as error:
            getattr(Published.of(found, "buys"), what)(*given)
        return str(error.value)

    def test_unknown_tasks_with_the_nearest(self) -> None:
        with pytest.raises(ModelsError, match="no model of 'buy': expected 'buys'"):
            Published.of(topic(1, "live"), "buy")

    def test_unknown_versions_with_those_there_are(self, learning: Learning) -> None:
        found = topic(1, "live", "held")
        expected = "buys has no version 3: there are 1 (live), 2 (held)"
        assert self.refusal(found, "pinning", 3, learning) == expected
        assert self.refusal(found, "releasing", 3) == expected

    def test_held_versions_are_not_pinned(self, learning: Learning) -> None:
        told = self.refusal(topic(1, "live", "held"), "pinning", 2, learning)
        assert "`stream-app models release buys --version 2`" in told

    def test_nor_those_that_workers_cannot_use(self, learning: Learning) -> None:
        found = topic(1, "live", "live")
        found[key("buys", 2)] = b"{}"
        assert "version 2 of buys cannot be used: " in self.refusal(found, "pinning", 2, learning)
        found[key("buys", 2)] = record(2, "live", "gone")
        told = self.refusal(found, "pinning", 2, learning)
        assert "cannot be used" in told
        assert "gone" in told

    def test_without_a_version_before_nothing_goes_back(self, learning: Learning) -> None:
        told = self.refusal(topic(2, "warming", "live"), "back", learning)
        assert told.startswith("before version 2 of buys there is no live one")
        found = topic(1, "live") | {current_key("buys"): record(9)}
        assert "no version is in use" in self.refusal(found, "back", learning)

    def test_without_a_pin_nothing_is_unpinned(self) -> None:
        assert self.refusal(topic(1, "live"), "unpinning") == "buys is not pinned"
        told = self.refusal(topic(1, "held", pinned=1), "unpinning")
        assert "no version can be put into use: there are 1 (held)" in told

    def test_what_is_not_held_or_late_is_not_released(self) -> None:
        assert "no version of buys is held" in self.refusal(topic(1, "live"), "releasing", None)
        told = self.refusal(topic(1, "live", "held"), "releasing", 1)
        assert told == "version 1 of buys is live, not held; held: 2"
        told = self.refusal(topic(3, "live", "held", "live"), "releasing", 2)
        assert "version 3 has come into use since" in told
