"""Pauses in a feed: found whatever the batches, told once, counted as far as they have come."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream_app.engine.feed import Feed

HOUR = 3_600_000
LONGEST = 10


def seen(*times: int, feed: Feed | None = None) -> Feed:
    feed = feed or Feed()
    feed.take(np.array(times, np.int64), LONGEST)
    return feed


def test_a_pause_that_ended_is_told_at_the_next_day_end_and_then_forgotten() -> None:
    feed = seen(100, 130, 135)
    assert (feed.seen, feed.pause) == (135, 30)
    assert feed.end_day(140) == 30
    assert seen(141, feed=feed).end_day(145) == 4


def test_a_pause_that_lasts_counts_as_far_as_it_has_come() -> None:
    feed = seen(100)
    assert feed.end_day(150) == 50
    assert feed.end_day(250) == 150
    assert seen(260, feed=feed).end_day(261) == 160


def test_before_the_first_event_there_is_no_pause() -> None:
    assert Feed().end_day(10**12) == 0
    assert seen(10**12).pause == 0


def test_late_events_end_no_pause() -> None:
    feed = seen(200, feed=seen(100))
    assert feed.pause == 100
    assert seen(150, feed=feed).seen == 200


@given(st.lists(st.integers(1, 500), min_size=1, max_size=30).map(sorted), st.data())
def test_any_batches_find_the_same_pauses(times, data) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(times)), max_size=5)))
    split = Feed()
    for start, stop in zip([0, *cuts], [*cuts, len(times)], strict=True):
        seen(*times[start:stop], feed=split)
    steps = [0, *np.diff(times).tolist()]
    expected = max(steps) if max(steps) > LONGEST else 0
    assert (split.seen, split.pause) == (times[-1], expected)
