"""A tag change as one line of English, in colour: what changed for whom, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.text import Text

from stream_app.domain.because import Because, Operand
from stream_app.domain.changes import TagChange, TagValue
from stream_app.domain.clock import to_rfc3339

SIGNS: Final = {"added": "+", "removed": "−", "updated": "~"}
STYLES: Final = {"added": "bold green", "removed": "bold red", "updated": "bold yellow"}
_OPS: Final = {">=": "≥", "<=": "≤", "!=": "≠", "==": "="}
_USER_WIDTH: Final = 12
_TAG_WIDTH: Final = 28
#: More reasons than this are counted; `--format json` has them all.
_MOST_REASONS: Final = 4
_MOST_LIST: Final = 5


def change_line(change: TagChange) -> Text:
    """`time user ± tag = value  why  after event`; time in UTC. `.plain` has no colour."""
    style = STYLES[change.action]
    tag = Text()
    tag.append(f"{SIGNS[change.action]} {change.tag}", style)
    shown, note = _value(change)
    tag.append(shown, style.removeprefix("bold "))
    tag.append(note, "dim")
    line = Text(end="")
    line.append(f"{_moment(change.occurred_at)}  ", "dim")
    line.append(_padded(change.user_id, _USER_WIDTH), "cyan")
    line.append("  ")
    line.append_text(tag)
    line.append(" " * max(_TAG_WIDTH - tag.cell_len, 0) + "  ")
    line.append(reason(change))
    line.append(_after(change), "dim")
    return line


def reason(change: TagChange) -> str:
    """Why, in words: `spend_30d 231.50 > 200, orders_30d 3 ≥ 2`.

    Of models: `p = 0.81, because orders +1.2 (orders_30d 9 > 3.10 typical)`.
    """
    if change.source.kind == "expiry":
        hours = [b.threshold for b in change.because if isinstance(b.threshold, float | int)]
        if any(b.feature == "hours_since_event" for b in change.because):
            return f"forgotten after {_span(float(hours[0]))} without an event"
        return f"expired {_span(float(hours[0]))} after it was set" if hours else "expired"
    reasons = comparisons(change.because)
    told = reasons[:_MOST_REASONS]
    further = len(reasons) - len(told)
    if further > 0:
        told.append(f"and {further} more")
    words = ", ".join(told)
    if change.source.kind == "rule":
        return words or "its rule changed"
    probable = f"p = {change.confidence:.2f}" if change.confidence < 1 else ""
    because = f"because {words}" if words else ""
    return ", ".join(filter(None, (probable, because))) or (
        f"{change.source.kind} {change.source.name}"
    )


def comparisons(because: Sequence[Because]) -> list[str]:
    """The reasons, those about one feature in one: `hours_since_cart 1.23 ≥ 1 and < 24`."""
    told: dict[str, str] = {}
    for each in because:
        words, start = comparison(each), f"{each.feature} {operand(each.value)} "
        if start in told and words.startswith(start):
            told[start] += f" and {words.removeprefix(start)}"
        else:
            told[start if words.startswith(start) else words] = words
    return list(told.values())


def comparison(because: Because) -> str:
    """One reason, such as `spend_30d 231.50 > 200`, `orders_24h = 0`, `device unknown`.

    What adds to a score says how much: `orders +1.2 (orders_30d 9 > 3.10 typical)`.
    """
    words = _compared(because)
    if because.reference is not None and because.op in (">", "<", "=="):
        words += " typical" if because.op != "==" else ", as is typical"
    if because.contribution is None:
        return words
    family = because.family or because.feature
    if family == because.feature:
        words = words.removeprefix(f"{because.feature} ")
    return f"{family} {_signed(because.contribution)} ({words})"


def _signed(contribution: float) -> str:
    """Such as +1.2 and −0.04."""
    digits = 1 if abs(contribution) >= 0.1 else 2
    return f"{'−' if contribution < 0 else '+'}{abs(contribution):.{digits}f}"


def _compared(because: Because) -> str:
    if because.op == "missing" or because.value is None:
        return f"{because.feature} unknown"
    value = operand(because.value)
    if because.op == "has":
        return f"{because.feature} {value} known"
    threshold = operand(because.threshold)
    if because.op == "==" and because.value == because.threshold:
        return f"{because.feature} = {value}"
    if _too_close(because.value, because.threshold):
        value, threshold = _apart(because.value, because.threshold)
    of = f" ({because.threshold_of})" if because.threshold_of is not None else ""
    return f"{because.feature} {value} {_OPS.get(because.op, because.op)} {threshold}{of}"


def operand(value: Operand) -> str:
    """A value for people: 1,234 · 231.50 · 0.004 · mobile · beer or wine."""
    if value is None:
        return "unknown"
    if isinstance(value, str):
        return value or "''"
    if isinstance(value, Sequence):
        return " or ".join(operand(each) for each in value)
    if value == round(value):
        return f"{value:,.0f}"
    return f"{value:,.2f}" if abs(value) >= 0.01 else f"{value:.2g}"


def _too_close(value: Operand, threshold: Operand) -> bool:
    """Whether two numbers differ and would look the same."""
    if not isinstance(value, float | int) or not isinstance(threshold, float | int):
        return False
    return value != threshold and f"{value:.2f}" == f"{threshold:.2f}"


def _apart(value: Operand, threshold: Operand) -> tuple[str, str]:
    """Both with the fewest digits that tell them apart: 0.298 and 0.3."""
    shown = ("", "")
    for digits in range(3, 16):
        shown = (f"{value:,.{digits}g}", f"{threshold:,.{digits}g}")
        if shown[0] != shown[1]:
            break
    return shown


def _value(change: TagChange) -> tuple[str, str]:
    """What stands behind the name of a tag, in words too for a segment, and ` (was mid)`."""
    shown = f" = {named(change.value)}" if named(change.value) else ""
    if change.source.label:
        shown += f' "{change.source.label}"'
    before = named(change.previous)
    return shown, f" (was {before})" if before and before != named(change.value) else ""


def named(value: TagValue) -> str:
    """The value of a tag in words; empty for a tag that is simply there or not there."""
    if isinstance(value, list):
        names = ", ".join(value[:_MOST_LIST])
        return f"{names}, …" if len(value) > _MOST_LIST else names
    return value if isinstance(value, str) else ""


def _after(change: TagChange) -> str:
    """What set it off, and how long it holds."""
    until = change.valid_until
    cause = f"  after {change.cause.event_id}" if change.cause else "  as time passed"
    return f"{cause}, until {_moment(until)}" if until is not None else cause


def _moment(ms: int) -> str:
    """Such as `2017-10-03 18:22:10`, UTC."""
    return to_rfc3339(ms)[:19].replace("T", " ")


def _span(hours: float) -> str:
    if hours >= 48 and hours % 24 == 0:
        return f"{hours / 24:,.0f} days"
    return "1 hour" if hours == 1 else f"{operand(hours)} hours"


def _padded(text: str, width: int) -> str:
    return text + " " * max(width - len(text), 0)
