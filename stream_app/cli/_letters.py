"""Dead letters as tables, as JSON, and one as it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from stream_app.domain.clock import to_rfc3339
from stream_app.kafka.dead_letter_queue.letters import Letter, Listing
from stream_app.kafka.dead_letter_queue.repair import Repaired, Unfit


def plain(listing: Listing) -> dict[str, Any]:
    """As JSON has it."""
    return {
        "counts": [
            {"reason": reason, "topic": topic, "letters": count}
            for (reason, topic), count in listing.counts.most_common()
        ],
        "letters": [
            {
                "position": str(letter.position),
                "at": to_rfc3339(letter.at),
                "reason": letter.reason,
                "detail": letter.detail,
                "topic": letter.topic,
                "partition": letter.source.partition,
                "offset": letter.source.offset,
                "whole": letter.length is None,
                "retried": listing.retried.get(letter.position),
            }
            for letter in listing.letters
        ],
    }


def counts(listing: Listing) -> Table:
    """How many, by reason and topic."""
    table = Table("reason", "topic", "dead letters", box=SIMPLE_HEAD)
    table.columns[2].justify = "right"
    for (reason, topic), count in listing.counts.most_common():
        table.add_row(escape(reason), escape(topic), f"{count:,}")
    return table


def lines(listing: Listing) -> Iterator[str]:
    """Two lines for each dead letter, newest first: where it is and was, and what is wrong."""
    width = max((len(str(letter.position)) for letter in listing.letters), default=0)
    for letter in listing.letters:
        sent = listing.retried.get(letter.position)
        again = f", sent again as {printable(sent)}" if sent is not None else ""
        place = f"{letter.position!s:<{width}}  {to_rfc3339(letter.at)}"
        yield f"{place}  {printable(letter.reason)}, read at {printable(letter.origin)}{again}"
        yield f"{'':<{width}}  {printable(letter.detail)}"


def described(
    letter: Letter, listing: Listing, verdict: Repaired | Unfit
) -> Iterable[tuple[str, str]]:
    """Name and value of what is known of one; `verdict` is on its original as it is."""
    yield "position", str(letter.position)
    yield "refused", to_rfc3339(letter.at)
    yield "reason", printable(letter.reason)
    yield "detail", printable(letter.detail)
    source = letter.source
    yield (
        "read at",
        f"{printable(letter.topic)}, partition {source.partition}, offset {source.offset}",
    )
    yield "key", printable(letter.key.decode(errors="backslashreplace"))
    if letter.length is not None:
        yield "cut", f"the first {len(letter.value)} of {letter.length} bytes"
    if letter.position in listing.retried:
        yield "retried", f"as {printable(listing.retried[letter.position])}"
    taken = "it would be taken"
    refused = "it would be refused again: "
    yield "now", refused + printable(verdict.why) if isinstance(verdict, Unfit) else taken


def printable(text: str) -> str:
    """Text in which a terminal finds nothing to obey, whoever sent it.

    >>> printable("ä\\x1b[2J")
    'ä\\\\x1b[2J'
    """
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def text_or_hex(value: bytes) -> str:
    """The bytes as text if they are UTF-8 without control characters, else as a hex dump."""
    try:
        text = value.decode()
    except ValueError:
        text = ""
    if text.replace("\n", " ").replace("\t", " ").isprintable() and (text or not value):
        return text
    rows = range(0, len(value), 16)
    return "\n".join(f"{at:08x}  {_hex_row(value[at : at + 16])}" for at in rows)


def _hex_row(part: bytes) -> str:
    shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
    return f"{part.hex(' '):<47}  {shown}"
