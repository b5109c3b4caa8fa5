"""How far the demo's events are."""

from __future__ import annotations

import numpy as np

from stream_app.cli._demo.show import Progress
from stream_app.data.checks import Checked


def test_it_counts_what_was_sent_and_what_is_done():
    progress = Progress()
    progress.send(
        Checked([0, 1, 0], ["a"] * 3, [b""] * 3, np.array([5, 6, 7]), np.array([1, 2, 3])), 3
    )
    assert (progress.sent, progress.by_topic, progress.sent_to) == (3, [2, 1], 7)
    progress.fold({"events": 2.0, "transactions": 1.0, "tag_changes": 4.0}, progress.began + 4)
    assert (progress.done, progress.changed, progress.rate) == (2, 4, 0.5)


def test_a_rate_counts_until_the_last_commit():
    progress = Progress(began=10.0)
    progress.fold({"events": 100.0, "transactions": 1.0}, 20.0)
    progress.fold({"events": 100.0, "transactions": 2.0}, 90.0)
    assert progress.rate == 10
    assert progress.moved_at == 90


def test_a_worker_too_busy_to_answer_changes_nothing():
    progress = Progress(began=10.0)
    progress.fold({"events": 100.0, "transactions": 1.0}, 20.0)
    progress.fold({}, 30.0)
    assert (progress.done, progress.moved_at) == (100, 20)
