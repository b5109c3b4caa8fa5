"""A part of the shop's year, as events to send."""

from __future__ import annotations

from collections import Counter
from datetime import date

import pytest
from support.small_shop import small_shop

from stream_app.cli._demo.feed import Feed, Slice
from stream_app.data import Selection, messages
from stream_app.data.clock import day_start_ms
from stream_app.domain.batch import TOPICS

MONTH = Slice(5, date(2017, 1, 10), date(2017, 2, 9), seconds=60)


def test_the_feed_is_the_slice_in_its_order():
    shop = small_shop(10, 60)
    feed = Feed(shop, MONTH)
    chunks = list(feed.chunks())
    sent = [
        (TOPICS[topic], user, value, at)
        for chunk in chunks
        for topic, user, value, at in zip(
            chunk.topic, chunk.user, chunk.value, chunk.at.tolist(), strict=True
        )
    ]
    wanted = list(messages(shop, Selection(5, MONTH.start, MONTH.end)))
    assert sent == [(m.topic, m.key.decode(), m.value, m.at) for m in wanted]
    assert len(chunks) > 1
    assert [n for chunk in chunks for n in chunk.line] == list(range(1, len(wanted) + 1))
    assert feed.events == Counter(user for _, user, *_ in sent)


@pytest.mark.parametrize(
    ("seconds", "speed", "factor"),
    [(60, None, 30 * 86_400 / 60), (0, None, None), (60, 10.0, 10.0), (0, 10.0, 10.0)],
)
def test_the_pace_comes_of_seconds_or_of_a_factor(seconds, speed, factor):
    part = Slice(5, MONTH.start, MONTH.end, seconds, speed)
    assert part.factor == factor
    assert part.pace().speed == factor


def test_how_far_it_is():
    first, last = day_start_ms(9), day_start_ms(39)
    shares = [MONTH.share(at) for at in (0, first, (first + last) // 2, last, last + 1)]
    assert shares == [0, 0, 0.5, 1, 1]


def test_it_names_its_last_day_not_the_day_after():
    assert str(MONTH) == "10 January to 8 February 2017"
