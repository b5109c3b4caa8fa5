"""The catalogue file: shop settings, features and tags, compiled to one row layout."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from importlib import resources
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from stream_app.domain.clock import DAY
from stream_app.domain.decode import DecodeOptions, Decoder
from stream_app.domain.expression import Frame
from stream_app.domain.layout import Field, Layout
from stream_app.domain.money import Money, exponent
from stream_app.domain.partitioner import PARTITIONERS
from stream_app.domain.source import Node, load
from stream_app.engine.learned import learned_tags
from stream_app.engine.retention import Retention
from stream_app.engine.sampling import Sampler
from stream_app.features import BoundFeatures, Features, FeatureSettings, compile_features
from stream_app.features import declare as declare_features
from stream_app.features.windows import ALL, PANE_MS
from stream_app.learning.declaration import Learning
from stream_app.learning.declaration import declare as declare_learning
from stream_app.tagging import BoundTags, TagDeclaration, Tags, compile_tags
from stream_app.tagging import declare as declare_tags

#: Bytes a profile may take in memory and in the changelog.
ROW_BUDGET: Final = 1_200
CLOCKS: Final = ("wall", "event")
_HOURS: Final = 24
_IDLE: Final = "idle_retention"

#: Fields that the engine itself keeps in every row.
ENGINE_FIELDS: Final = (Field("due", "i8"),)


@dataclass(frozen=True)
class Shop:
    """What holds for the whole shop; see docs/meaning.md."""

    timezone: str = "UTC"
    currency: str = "USD"
    rates: Mapping[str, Decimal] = field(default_factory=dict)
    night: tuple[int, int] = (22, 6)
    partitioner: str = "murmur2"
    clock: str = "wall"
    #: None: nobody is forgotten.
    idle_retention_ms: int | None = None


@dataclass(frozen=True)
class Limits:
    """Bounds on input that come from settings, not from the catalogue."""

    max_event_bytes: int = 262_144
    future_ms: int = 300_000
    retention_ms: int = 400 * 86_400_000


@dataclass(frozen=True)
class Catalogue:
    """A validated catalogue, not yet bound to a row layout; `revision` changes with its text."""

    file: str
    revision: str
    shop: Shop
    features: Features
    tags: Tags
    learning: Learning | None = None

    def compile(self, limits: Limits | None = None) -> Program:
        """Lay the rows out and bind features and tags to them."""
        return Program(self, limits or Limits())


class Program:
    """A catalogue compiled to a row layout: what `step` needs beside a partition's profiles."""

    def __init__(self, catalogue: Catalogue, limits: Limits) -> None:
        self.catalogue = catalogue
        self.shop = catalogue.shop
        fields = (*ENGINE_FIELDS, *catalogue.features.fields, *catalogue.tags.fields)
        self.layout = Layout.of(fields)
        self.features: BoundFeatures = catalogue.features.bind(self.layout)
        self.tags: BoundTags = catalogue.tags.bind(self.layout)
        passing = catalogue.features.passing
        # What rules compare features to which change as time passes.
        self._constants = {n: t for n, t in catalogue.tags.thresholds.items() if n in passing}
        self._moving = [(name, of) for name, of in catalogue.tags.moving if name in passing]
        self.opaque = catalogue.tags.opaque & passing
        self.decoder = Decoder(
            DecodeOptions(
                currency=self.shop.currency,
                rates=self.shop.rates,
                columns=catalogue.features.columns,
                max_event_bytes=limits.max_event_bytes,
                future_ms=limits.future_ms,
                retention_ms=limits.retention_ms,
            )
        )
        #: None where nothing is learned.
        self.sampler = Sampler(catalogue.learning) if catalogue.learning else None
        self.partitioner = PARTITIONERS[self.shop.partitioner]
        idle_ms = self.shop.idle_retention_ms
        #: None where nobody is forgotten.
        self.retention = None if idle_ms is None else Retention(idle_ms)

    def thresholds(self, quantiles: Mapping[str, float]) -> Mapping[str, Sequence[float]]:
        """What rules compare each feature to that changes as time passes, by these quantiles.

        Other quantiles make other thresholds: all users are then to be decided anew.
        """
        if not self._moving:
            return self._constants
        frame = Frame({}, quantiles)
        found = {name: set(of) for name, of in self._constants.items()}
        for name, number in self._moving:
            threshold = float(number.values(frame))
            if not math.isnan(threshold):
                found.setdefault(name, set()).add(threshold)
        return {name: sorted(of) for name, of in found.items()}


def load_catalogue(name: str | Path, budget: int = ROW_BUDGET) -> Catalogue:
    """Read and validate a catalogue: a path, or the name of one that ships (`retail`).

    A profile may take `budget` bytes. Raises DeclarationError, which names file, line and field.
    """
    path = _locate(name)
    root = load(path)
    root.check_keys(("shop", "features", "tags", "learning"), required=("features", "tags"))
    sections = dict(root.items())
    shop = _shop(sections.get("shop"))
    declared = declare_features(sections["features"])
    features = compile_features(
        declared,
        FeatureSettings(timezone=shop.timezone, night=shop.night, exponent=exponent(shop.currency)),
    )
    learn = sections.get("learning")
    population = learn is not None and learn.get("segments") is not None
    ruled = declare_tags(sections["tags"], features.kinds, quantiles=population)
    learning, learned = _learning(learn, features, ruled)
    tags = compile_tags({**ruled, **learned}, features.kinds)
    catalogue = Catalogue(str(path), _revision(path), shop, features, tags, learning)
    _check_budget(catalogue, root, budget)
    _check_retention(catalogue, root)
    return catalogue


def _learning(
    node: Node | None, features: Features, ruled: Mapping[str, TagDeclaration]
) -> tuple[Learning | None, dict[str, TagDeclaration]]:
    """What is learned, and the tags of that; `ruled` are the rules' tags."""
    if node is None:
        return None, {}
    quantiles = frozenset[str]().union(*(tag.quantiles for tag in ruled.values()))
    learning = declare_learning(node, features.kinds, features.windows, ruled, sorted(quantiles))
    return learning, learned_tags(learning, node, ruled)


def row_bytes(catalogue: Catalogue) -> int:
    """Return the bytes that a profile takes under this catalogue."""
    fields = (*ENGINE_FIELDS, *catalogue.features.fields, *catalogue.tags.fields)
    return Layout.of(fields).size


def _check_budget(catalogue: Catalogue, root: Node, budget: int) -> None:
    size = row_bytes(catalogue)
    if size > budget:
        dearest = sorted(catalogue.features.describe(), key=lambda cost: -cost.bytes)[:5]
        listed = ", ".join(f"{cost.name} {cost.bytes}" for cost in dearest)
        raise root.error(
            f"a profile takes {size} bytes, the budget is {budget}; the dearest features are "
            f"{listed}; shorten windows, let features share a window, or drop some"
        )


def _check_retention(catalogue: Catalogue, root: Node) -> None:
    """Refuse to forget users earlier than a window or a horizon looks."""
    kept = catalogue.shop.idle_retention_ms
    if kept is None:
        return
    windows = catalogue.features.windows.items()
    looks = [(ms, f"{name} looks back") for name, (ms, _) in windows if ms < PANE_MS[ALL]]
    # A sample is of users who are there when its outcome is drawn, whatever they do.
    tasks = catalogue.learning.tasks if catalogue.learning else ()
    looks += [(task.horizon_ms + DAY, f"{task.name} with its sample looks ahead") for task in tasks]
    longest, who = max(looks, default=(0, ""))
    if kept < longest:
        [shop] = [node for key, node in root.items() if key == "shop"]
        [field] = [node for key, node in shop.items() if key == "idle_retention"]
        raise field.error(
            f"users would be forgotten after {field.value}, but {who} {longest / DAY:g} days",
            f"{-(-longest // DAY)}d or more",
        )


def _locate(name: str | Path) -> Path:
    text = str(name)
    if "/" in text or text.endswith((".yaml", ".yml")):
        return Path(text)
    return Path(str(resources.files("stream_app") / "catalogs" / f"{text}.yaml"))


def _revision(path: Path) -> str:
    return hashlib.blake2b(path.read_bytes(), digest_size=6).hexdigest()


def _shop(node: Node | None) -> Shop:
    if node is None:
        return Shop()
    node.check_keys(("timezone", "currency", "rates", "night", "partitioner", "clock", _IDLE))
    readers: dict[str, Callable[[Node], Any]] = {
        "timezone": _timezone,
        "currency": _currency,
        "rates": _rates,
        "night": _night,
        "partitioner": lambda value: _choice(value, tuple(PARTITIONERS)),
        "clock": lambda value: _choice(value, CLOCKS),
        _IDLE: Node.duration_ms,
    }
    fields = {f"{_IDLE}_ms" if key == _IDLE else key: readers[key](v) for key, v in node.items()}
    return _check_money(node, Shop(**fields))


def _timezone(node: Node) -> str:
    name = node.text()
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise node.error(
            f"no time zone is called {name!r}; expected an IANA name such as Europe/Berlin"
        ) from error
    return name


def _currency(node: Node) -> str:
    code = node.text()
    if len(code) != 3 or not (code.isascii() and code.isupper()):
        raise node.error(f"{code!r} is no currency; expected an ISO 4217 code such as EUR")
    return code


def _rates(node: Node) -> dict[str, Decimal]:
    rates = {}
    for code, value in node.items():
        try:
            rate = Decimal(str(value.value))
        except InvalidOperation as error:
            raise value.error("expected a number: reporting currency for one unit") from error
        rates[code] = rate
    return rates


def _check_money(node: Node, shop: Shop) -> Shop:
    try:
        Money(shop.currency, shop.rates)
    except ValueError as error:
        raise dict(node.items()).get("rates", node).error(str(error)) from error
    return shop


def _night(node: Node) -> tuple[int, int]:
    hours = [element.number() for element in node.elements()]
    if len(hours) != 2 or any(h != int(h) or not 0 <= h < _HOURS for h in hours):
        raise node.error("expected two whole hours from 0 to 23, such as [22, 6]")
    return int(hours[0]), int(hours[1])


def _choice(node: Node, allowed: tuple[str, ...]) -> str:
    value = node.text()
    if value not in allowed:
        raise node.error(f"{value!r} is not known; expected one of {', '.join(allowed)}")
    return value
