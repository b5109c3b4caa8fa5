"""A lag is told while it is known."""

from __future__ import annotations

from faust.types import TP
from prometheus_client import CollectorRegistry

from stream_app.kafka.input_topics.inputs import Input
from stream_app.kafka.input_topics.lag import KNOWN_MS, Lags
from stream_app.metrics import Metrics

INPUTS = (Input(0, TP("shop-clicks", 9), "clicks:9"), Input(1, TP("purchases", 1), "purchases"))


def test_a_series_ends_when_nothing_was_fetched_for_long_and_comes_back() -> None:
    metrics = Metrics(CollectorRegistry())
    lags = Lags(INPUTS, metrics)

    def told() -> list[float | None]:
        places = (("clicks", "9"), ("purchases", "1"))
        return [
            metrics.registry.get_sample_value("stream_app_lag", {"topic": t, "partition": p})
            for t, p in places
        ]

    lags.tell(0, 7, 100.0, 0)
    lags.tell(1, -1, 100.0, 0)
    assert told() == [7, 0]
    # The other partition's broker goes on.
    lags.tell(1, 5, 200.0, KNOWN_MS)
    lags.tell(0, 7, 100.0, KNOWN_MS)
    assert told() == [7, 5]
    for now in (KNOWN_MS + 1, KNOWN_MS + 2):
        lags.tell(0, 7, 100.0, now)
        lags.forget(1, now)
        assert told() == [None, 5]
    # It has much to do with what it has fetched.
    lags.tell(0, 9, 100.0, KNOWN_MS + 2, busy=True)
    assert told() == [9, 5]
    lags.tell(0, 3, 300.0, KNOWN_MS + 3)
    lags.tell(1, None, 300.0, KNOWN_MS + 3)
    assert told() == [3, 5]
    lags.forget(1, 3 * KNOWN_MS)
    assert told() == [3, None]
