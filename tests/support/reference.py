"""Brute-force reference of features and rules: keeps every raw event and rescans all at each look.

Written from the documented meaning only, so that a shared misunderstanding can't hide. It knows
neither rows nor panes' rings nor batches, and takes events that decoding would accept.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from support.reference_cancellations import cancelling
from support.reference_events import CLICKS, OF_LINES, PURCHASES, Event, Shop, text
from support.reference_rules import names, truth

HOUR = 3_600_000
DAY = 24 * HOUR
REMEMBERED_IDS = 32
SESSION_GAP = 30 * 60_000
SLOTS = {"top": 8, "usual": 3}
USUAL_HALF_LIFE = 30 * DAY

Entry = Mapping[str, Any]
Declaration = Mapping[str, Any]


class Reference:
    """Every event of every user, in log order of its topic."""

    def __init__(self, catalogue: Mapping[str, Any]) -> None:
        self.declared: dict[str, Declaration] = catalogue.get("features") or {}
        self.rules: dict[str, Declaration] = catalogue.get("tags") or {}
        self.shop = Shop.of(catalogue.get("shop") or {})
        self.log: dict[str, dict[str, list[Event]]] = defaultdict(lambda: defaultdict(list))
        self._ids: dict[tuple[str, str], deque[int]] = defaultdict(
            lambda: deque(maxlen=REMEMBERED_IDS)
        )

    def add(self, topic: str, event: Mapping[str, Any]) -> bool:
        """Append an event to its topic's log; False for a duplicate, which changes nothing."""
        user, happened = event["user_id"], Event(event, self.shop)
        recent = self._ids[user, topic]
        if happened.id_hash in recent:
            return False
        recent.append(happened.id_hash)
        self.log[user][topic].append(happened)
        return True

    def features(self, user: str, now_ms: int) -> dict[str, Any]:
        """Every declared feature: float, text, [(text, share), …] by weight, or None if missing."""
        found: dict[str, Any] = {}
        for name in self.declared:
            self._feature(name, user, now_ms, found)
        return found

    def tags(
        self, user: str, now_ms: int, quantiles: Mapping[str, float] | None = None
    ) -> dict[str, Any]:
        """Tags that hold at `now_ms`: True or the value; only tags that `stateless` names.

        `quantiles` of all users by name, such as q90.spend_30d.
        """
        values = {**self.features(user, now_ms), **(quantiles or {})}
        held: dict[str, Any] = {}
        for name in self.stateless():
            rule = self.rules[name]
            if "when" in rule and truth(rule["when"], values):
                held[name] = True
            for value, condition in rule.get("values", {}).items():
                if truth(condition, values):
                    held[name] = value
                    break
        return held

    def stateless(self) -> list[str]:
        """Tags that a look at the features alone decides: no hold, until, expires, or list."""
        memory = {"until", "hold", "expires", "list"}
        return [name for name, rule in self.rules.items() if not memory & rule.keys()]

    def decayed(self, name: str, user: str) -> dict[str, float]:
        """Texts in the slots of a `top` or `usual` feature with weights on a scale of their own."""
        declaration = self.declared[name]
        kind = "top" if "top" in declaration else "usual"
        field = declaration["of"] if kind == "top" else declaration["usual"]
        half_life = span(declaration["half_life"]) if kind == "top" else USUAL_HALF_LIFE
        selector = declaration["top"] if kind == "top" else declaration.get("from", "clicks")
        return self._slots(list(self._chosen(user, selector)), field, half_life, declaration)

    def _feature(self, name: str, user: str, now: int, found: dict[str, Any]) -> Any:
        if name not in found:
            found[name] = self._compute(name, self.declared[name], user, now, found)
        return found[name]

    def _compute(
        self, name: str, declaration: Declaration, user: str, now: int, found: dict[str, Any]
    ) -> Any:
        kind = next(iter(declaration))
        match kind:
            case "ratio":
                above, below = (self._feature(n, user, now, found) for n in declaration["ratio"])
                return None if above is None or not below else above / below
            case "tenure":
                unit = DAY if declaration["tenure"] == "days" else HOUR
                times = [e.at for log in self.log[user].values() for e in log]
                return (now - min(times)) / unit if times else None
            case "top":
                slots = self.decayed(name, user)
                total = sum(slots.values())
                ordered = sorted(slots.items(), key=lambda slot: -slot[1])
                return [(text, weight / total) for text, weight in ordered]
            case "usual":
                slots = self.decayed(name, user)
                return max(slots, key=lambda text: slots[text]) if slots else None
            case "last":
                return self._last(user, declaration)
        return self._windowed(kind, declaration, user, now)

    def _windowed(self, kind: str, declaration: Declaration, user: str, now: int) -> Any:
        selector, _, field = str(declaration[kind]).partition(".")
        if isinstance(declaration[kind], list):
            selector, field = declaration[kind], ""
        chosen = list(self._chosen(user, selector))
        if kind == "sessions":
            chosen = starts(chosen)
        if kind == "cancellations":
            chosen = cancelling(chosen)
        inside = [e for e in chosen if within(declaration.get("window", "all"), e.at, now)]
        where = declaration.get("where")
        matching = [(e, entries) for e in inside if (entries := matches(e, where)) is not None]
        match kind:
            case "count" | "sessions" | "cancellations":
                return float(len(matching))
            case "active_days":
                return float(len({e.at // DAY for e, _ in matching}))
            case "share":
                return len(matching) / len(inside) if inside else None
            case "hours_since":
                return (now - max(e.at for e, _ in matching)) / HOUR if matching else None
            case "distinct":
                held = (text(entry, field) for e, es in matching for entry in holders(e, field, es))
                return float(len({value for value in held if value is not None}))
        return self._of_numbers(kind, field, matching)

    def _of_numbers(
        self, kind: str, field: str, matching: list[tuple[Event, list[Entry]]]
    ) -> float | None:
        numbers: list[Decimal] = [
            number
            for event, entries in matching
            for holder in holders(event, field, entries)
            if (number := event.number(field, holder)) is not None
        ]
        if kind == "sum":
            return float(sum(numbers, Decimal(0)))
        if not numbers:
            return None
        return float(max(numbers)) if kind == "max" else float(sum(numbers) / len(numbers))

    def _last(self, user: str, declaration: Declaration) -> str | None:
        carrying = [
            (e.at, e.id_hash, value)
            for e in self._chosen(user, declaration.get("from", "any"))
            if matches(e, declaration.get("where")) is not None
            and (value := text(e.raw, declaration["last"])) is not None
        ]
        return max(carrying)[2] if carrying else None

    def _slots(
        self, events: list[Event], field: str, half_life: int, declaration: Declaration
    ) -> dict[str, float]:
        slots: list[tuple[str, float]] = []
        size = SLOTS["top" if "top" in declaration else "usual"]
        weights = declaration.get("weights", {})
        for event in events:
            age = (event.at - events[0].at) / half_life
            weight = weights.get(event.type, 1) * 2.0**age
            for entry in matches(event, declaration.get("where")) or []:
                value = text(entry if field in OF_LINES else event.raw, field)
                if value is not None:
                    enter(slots, value, weight, size)
        return dict(slots)

    def _chosen(self, user: str, selector: str | list[str]) -> Iterator[Event]:
        """Events of `selector`: all clicks in log order, then all purchases in log order."""
        types = types_of(selector)
        for topic in ("clicks", "purchases"):
            yield from (e for e in self.log[user][topic] if e.type in types)


def enter(slots: list[tuple[str, float]], value: str, weight: float, size: int) -> None:
    """Add weight to a text's slot; a newcomer takes a free slot, else the first of the lightest."""
    for i, (held, weighs) in enumerate(slots):
        if held == value:
            slots[i] = (value, weighs + weight)
            return
    if len(slots) < size:
        slots.append((value, weight))
    else:
        slots[min(range(size), key=lambda i: slots[i][1])] = (value, weight)


def types_of(selector: str | list[str]) -> list[str]:
    """Event types that a selector stands for."""
    if isinstance(selector, list):
        return selector
    groups = {"any": CLICKS + PURCHASES, "clicks": CLICKS, "purchases": PURCHASES}
    return groups.get(selector, [selector])


def span(text: str) -> int:
    """Milliseconds of a duration such as 24h or 7d."""
    return int(text[:-1]) * {"m": 60_000, "h": HOUR, "d": DAY}[text[-1]]


def within(window: str, at: int, now: int) -> bool:
    """Is `at` in the current pane or one of those before it that the window has?"""
    if window == "all":
        return True
    length, _, pane = window.partition("/")
    count, unit = int(length[:-1]), length[-1]
    if unit == "h":
        return at // HOUR > now // HOUR - count
    if count <= 31 and not pane:
        return at // DAY > now // DAY - count
    return at // DAY // 3 > now // DAY // 3 - count // 3


def matches(event: Event, where: str | None) -> list[Entry] | None:
    """Entries (lines, or the click itself) that `where` admits; None if it stops the event."""
    entries = list(event.entries())
    if where is None:
        return entries
    if names(where) & OF_LINES:
        return [e for e in entries if truth(where, event.environment(e))] or None
    return entries if truth(where, event.environment(None)) else None


def holders(event: Event, field: str, entries: list[Entry]) -> list[Entry]:
    """What carries the field `field`: each entry for item fields, else the event once."""
    return entries if field in OF_LINES else [event.raw]


def starts(clicks: list[Event]) -> list[Event]:
    """Clicks that begin a session: the first, and those 30 minutes after all that came before."""
    beginning: list[Event] = []
    latest: int | None = None
    for event in clicks:
        if latest is None or event.at - latest > SESSION_GAP:
            beginning.append(event)
        latest = event.at if latest is None else max(latest, event.at)
    return beginning
