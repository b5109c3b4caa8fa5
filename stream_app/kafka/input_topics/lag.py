"""What a partition tells of its inputs' lag, as long as it knows of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from stream_app.kafka.input_topics.inputs import Input
from stream_app.metrics import Metrics

#: A lag is told for so long (ms) after the last fetch was answered: then nobody knows it.
KNOWN_MS: Final = 30_000


class Lags:
    """The series `lag` of a partition's inputs; one ends while its brokers are away."""

    def __init__(self, inputs: Sequence[Input], metrics: Metrics) -> None:
        self._labels = [{"topic": i.label, "partition": str(i.tp.partition)} for i in inputs]
        self._metrics = metrics
        #: By input: the last fetch (epoch ms), and when it was first heard of (steady ms).
        self._fetched = [0.0] * len(self._labels)
        self._heard = [0] * len(self._labels)

    def tell(
        self, number: int, lag: int | None, fetched_ms: float, now: int, *, busy: bool = False
    ) -> None:
        """Take the lag of input `number` as of a fetch, None where none was answered yet.

        `now` is steady, in ms: the time of a fetch is one of a clock that may be set. While a
        partition is `busy` with what it has, it may not fetch for long, and at least so much waits.
        """
        if busy or fetched_ms != self._fetched[number]:
            self._fetched[number], self._heard[number] = fetched_ms, now
        if lag is not None and now - self._heard[number] <= KNOWN_MS:
            self._metrics.set("lag", max(0, lag), **self._labels[number])
        else:
            self.forget(number, now)

    def forget(self, number: int, now: int) -> None:
        """End the series of input `number` where it has not been known for long."""
        if now - self._heard[number] > KNOWN_MS:
            self._metrics.end("lag", **self._labels[number])
