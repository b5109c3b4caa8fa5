"""The latest text: time decides, then the id's hash, whatever the order of arrival."""

from __future__ import annotations

from itertools import permutations
from zlib import crc32

from support.shoppers import Shoppers

START = 1_700_000_000_000
LAST = "device: {last: device}\nchannel: {last: channel}"


def event(name: str, at: int, **fields: str) -> dict[str, object]:
    return {"id": name, "type": "search", "user": "u", "at": START + at, **fields}


def test_the_greatest_time_and_hash_wins_in_any_order() -> None:
    names = ["a", "b", "c"]
    winner = max(names, key=lambda name: crc32(name.encode()))
    events = [event("old", -1, device="old"), *(event(name, 0, device=name) for name in names)]
    for order in permutations(events):
        at_once, one_by_one = Shoppers(LAST), Shoppers(LAST)
        at_once.fold(order)
        for one in order:
            one_by_one.fold([one])
        assert at_once.values(START)["device"] == winner
        assert one_by_one.values(START)["device"] == winner


def test_features_do_not_mix() -> None:
    made = Shoppers(LAST)
    made.fold([event("a", 5, device="tv"), event("b", 1, channel="email")])
    assert made.values(START) == {"device": "tv", "channel": "email"}
