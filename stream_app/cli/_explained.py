"""An explanation as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from stream_app.cli.format import comparisons, named, operand
from stream_app.domain.changes import TagValue
from stream_app.engine.explanation import (
    Explanation,
    Logit,
    Prediction,
    Segment,
    Unusual,
    Verdict,
)
from stream_app.engine.reading import Plain

_INDENT: Final = (0, 0, 0, 2)
_MOST_ENTRIES: Final = 3
Facts = list[tuple[str, str]]


def shown(told: Explanation) -> Iterator[RenderableType]:
    """Each part of an explanation; the features come last, since they are many."""
    yield Text.assemble(
        (told.user_id, "bold cyan"),
        f"  as of {_moment(told.at)}, last event {_moment(told.last_event)}, "
        f"partition {told.partition}\n",
    )
    for prediction in told.predictions:
        yield from _prediction(prediction)
    if told.segments:
        yield from _segment(told.segments)
    if told.unusual:
        yield from _unusual(told.unusual)
    yield from _features(told.features)


def _prediction(told: Prediction) -> Iterator[RenderableType]:
    yield _title(told.verdict)
    facts = _facts(told.verdict)
    facts.append(
        ("held out", "yes: never has the tag, whatever the score" if told.held_out else "no")
    )
    facts.append(("probability", _probability(told)))
    facts.append(_edges(told))
    yield _list(facts)
    if told.logit:
        yield _contributions(told.logit, told.probability)


def _probability(told: Prediction) -> str:
    if told.probability is None:
        return "-"
    a, b = told.logit.platt if told.logit else (1.0, 0.0)
    scaled = "" if (a, b) == (1.0, 0.0) else f", of the logit {a:.3f} * sum {b:+.3f}"
    return f"{told.probability:.4f}{scaled}"


def _edges(told: Prediction) -> tuple[str, str]:
    if not told.margin:
        return "threshold", f"set from {told.edges['threshold']:.4f}" if told.edges else "not known"
    edges = ", ".join(f"{name} from {edge:g}" for name, edge in told.edges.items())
    return "bands", f"{edges}; entered {told.margin:g} above an edge, left as far below"


def _contributions(logit: Logit, probability: float | None) -> RenderableType:
    table = _table("family", "adds", "feature", "value", "typical", right=(1, 3, 4))
    chance = f"{logit.typical_probability:.1%}"
    table.add_row("[dim]typical in all[/]", f"{logit.typical:+.3f}", f"[dim]{chance}[/]")
    for reason in logit.families:
        table.add_row(
            escape(reason.family or reason.feature),
            _signed(reason.contribution or 0.0),
            escape(reason.feature) if reason.feature != reason.family else "",
            operand(reason.value),
            operand(reason.reference),
        )
    sure = "" if probability is None else f"{probability:.1%}"
    table.add_row("[bold]sum[/]", f"[bold]{logit.value:+.3f}[/]", f"[bold]{sure}[/]")
    return Padding(table, _INDENT)


def _segment(told: Segment) -> Iterator[RenderableType]:
    yield _title(told.verdict)
    facts = _facts(told.verdict)
    if told.distances:
        near = told.distances[0].distance
        beyond = near > told.bound
        facts.append(
            ("unusual", f"{'yes' if beyond else 'no'}: nearest {near:.3f}, bound {told.bound:.3f}")
        )
        facts.append(("leaves when", f"another centre is nearer by {told.margin:.0%}"))
    yield _list(facts)
    if not told.distances:
        return
    table = _table("segment", "distance", "name", right=(1,))
    for each in told.distances:
        table.add_row(escape(each.segment), f"{each.distance:.3f}", escape(each.label))
    yield Padding(table, _INDENT)
    table = _table("feature", "value", "typical", "spreads apart", right=(1, 2, 3))
    for trait in told.traits:
        value, typical = operand(trait.value), operand(trait.typical)
        table.add_row(escape(trait.feature), value, typical, _signed(trait.spreads))
    yield Padding(table, _INDENT)


def _unusual(told: Unusual) -> Iterator[RenderableType]:
    yield _title(told.verdict)
    facts = _facts(told.verdict)
    facts.append(("score", "-" if told.score is None else f"{told.score:.4f}"))
    known = told.threshold is not None
    facts.append(("threshold", f"unusual from {told.threshold:.4f}" if known else "not known"))
    facts += [("farthest", ", ".join(comparisons(told.because)))] if told.because else []
    yield _list(facts)
    yield ""


def _features(features: dict[str, Plain]) -> Iterator[RenderableType]:
    yield Text("features", style="bold")
    table = _table("feature", "value")
    for name, value in features.items():
        if value is not None and value != []:
            table.add_row(escape(name), escape(_value(value)))
    yield Padding(table, _INDENT)
    missing = [name for name, value in features.items() if value is None or value == []]
    if missing:
        yield Padding(Text(f"without a value: {', '.join(missing)}", style="dim"), _INDENT)


def _title(verdict: Verdict) -> RenderableType:
    model = verdict.model
    if model is None:
        return Text.assemble((verdict.tag, "bold"), "  no model is published yet")
    told = f"  version {model.version}, {model.state}, learned until {model.learned_until[:10]}"
    return Text.assemble((verdict.tag, "bold"), told)


def _facts(verdict: Verdict) -> Facts:
    facts = [("tag", _tag(verdict))]
    model = verdict.model
    if model and model.paused:
        facts.append(("paused", f"{model.paused}: the tag stays until it expires"))
    elif model and model.state == "warming":
        facts.append(("would be", "undecided: a warming model only scores"))
    elif model:
        facts.append(("would be", _words(verdict.would_be)))
    why = f"no: {', '.join(comparisons(verdict.because_not))}"
    facts.append(("eligible", "yes" if verdict.eligible else why))
    return facts


def _tag(verdict: Verdict) -> str:
    now = verdict.now
    if now is None:
        return "not set"
    until = f", until {_moment(now.valid_until)}" if now.valid_until else ""
    sure = f", {now.confidence:.1%} sure" if now.confidence < 1 else ""
    return f"{_words(now.value)} since {_moment(now.since)}{sure}{until}"


def _words(value: TagValue) -> str:
    return named(value) or ("set" if value else "not set")


def _value(value: Plain) -> str:
    if isinstance(value, list):
        told = [f"{each['value']} {each['share']:.0%}" for each in value[:_MOST_ENTRIES]]
        return ", ".join(told) + (", …" if len(value) > _MOST_ENTRIES else "")
    return operand(value)


def _list(facts: Facts) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    for name, text in facts:
        table.add_row(f"[dim]{name}[/]", escape(text))
    return Padding(table, _INDENT)


def _table(*columns: str, right: tuple[int, ...] = ()) -> Table:
    table = Table(*columns, box=SIMPLE_HEAD, pad_edge=False)
    for i in right:
        table.columns[i].justify = "right"
    return table


def _signed(value: float) -> str:
    colour = "green" if value > 0 else "red"
    return f"[{colour}]{value:+.3f}[/]" if round(value, 3) else "0"


def _moment(text: str) -> str:
    """Such as `2017-10-03 18:22:10`, UTC."""
    return text[:19].replace("T", " ")
