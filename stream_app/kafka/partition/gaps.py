"""Whether what a partition reads is all that there is from its next offsets on."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from faust.types import TP

from stream_app.kafka.errors import Fatal
from stream_app.kafka.input_topics.bounds import check_bounds
from stream_app.kafka.input_topics.passed import Passed
from stream_app.kafka.input_topics.queue import Gap, Taken
from stream_app.kafka.partition.surroundings import Surroundings

log = logging.getLogger(__name__)


class Gaps:
    """What a task knows of gaps in its inputs, by their number; it is told of every seek."""

    def __init__(self, tps: Sequence[TP], around: Surroundings) -> None:
        self._tps = tps
        self._around = around
        self._passed = Passed(len(tps))
        #: By input: where reading began, and what was met there instead.
        self._begun: list[int] = []
        self._found: dict[int, int] = {}

    def begin(self, following: Sequence[int]) -> None:
        """Reading begins at the next offsets."""
        self._begun = list(following)
        self._found.clear()
        self.forget()

    def forget(self) -> None:
        """Positions mean nothing that they meant before."""
        self._passed = Passed(len(self._tps))

    async def believe(self, gap: Gap) -> bool:
        """Return whether nothing is missing in `gap`; False to have it read again.

        Raises Refusal where the log begins after what was expected: retention deleted it. Other
        gaps are markers of the producers' transactions, as a consumer goes on where its last fetch
        ended; except that one right after a seek could be a position moved by something else. That
        one is believed when it is met twice.
        """
        tp, expected = self._tps[gap.topic], gap.expected
        first, end = (await self._around.inputs.log_bounds([tp]))[tp]
        accept_gaps = self._around.settings.accept_gaps
        kept = check_bounds(tp, expected, first, max(end, expected), accept_gaps=accept_gaps)
        sought = expected == self._begun[gap.topic] or self._passed.doubts(gap.topic, expected)
        if kept > expected or not sought or self._found.get(gap.topic) == gap.found:
            return True
        self._found[gap.topic] = gap.found
        where = f"{tp.topic} partition {tp.partition}"
        log.info(
            "%s begins at %d instead of %d: reading again", where, gap.found, expected,
            extra={"partition": tp.partition, "topic": tp.topic, "offset": expected},
        )  # fmt: skip
        return False

    def beyond(self, number: int, following: int, position: int, *, resting: bool) -> bool:
        """Return whether to read input `number` again, as its position passed something."""
        return self._passed.look(number, following, position, resting=resting)

    def tell_missed(self, taken: Taken) -> None:
        """Log what is taken only because it was read again."""
        for number, records in enumerate(taken.records):
            if records and self._passed.missed(number, records[0].offset):
                tp = self._tps[number]
                log.error(
                    "%s partition %d: records from offset %d on had been read and not folded; "
                    "they are folded now", tp.topic, tp.partition, records[0].offset,
                    extra={"partition": tp.partition, "topic": tp.topic},
                )  # fmt: skip

    async def refuse_return(self, number: int, expected: int, position: int) -> None:
        """Raise because reading fell back: Refusal where the topic says why, else Fatal.

        The consumer starts again at the first record kept when its offset is not in the log any
        more, and what it reads would be dropped as known up to the next offset.
        """
        tp, accept_gaps = self._tps[number], self._around.settings.accept_gaps
        bounds = await self._around.inputs.log_bounds([tp])
        check_bounds(tp, expected, *bounds[tp], accept_gaps=accept_gaps)
        where = f"{tp.topic} partition {tp.partition}"
        raise Fatal(f"reading {where} fell from offset {expected} to {position}")
