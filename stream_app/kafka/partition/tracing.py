"""Rounds as spans of OpenTelemetry, where the settings ask for them; else nothing is imported."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, NamedTuple

from stream_app import __version__
from stream_app.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

_NEEDED: Final = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")


class TracingMissing(Exception):
    """The extra `otel` is not installed; the message says how to install it."""


class Times(NamedTuple):
    """When a committed round was begun, taken, folded and committed, in seconds of
    `Clocks.seconds`; how many events it took, rows it decided and changes it published.
    """

    partition: int
    begun: float
    taken: float
    folded: float
    committed: float
    events: int
    rows: int
    changes: int


Trace = Callable[[Times], None]


def tracing(settings: Settings) -> Trace | None:
    """What is to be told of each round, None where nothing is. Raises TracingMissing.

    Where spans go, and how many of them, is said by OpenTelemetry's own variables, `OTEL_...`.
    """
    if settings.traces == "none":
        return None
    if not all(map(_is_there, _NEEDED)):
        raise TracingMissing("STREAM_APP_TRACES=otlp needs pip install 'stream-app[otel]'")
    # Imported here: it takes half a second and 6 MB, which only those pay who asked for it.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    named = {"service.name": settings.app_id, "service.version": __version__}
    if settings.instance_id:
        named["service.instance.id"] = settings.instance_id
    provider = TracerProvider(
        resource=Resource(dict(named)).merge(OTELResourceDetector().detect()),
        # A collector that is away must not hold up the end of the process.
        shutdown_on_exit=False,
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return spans_by(provider.get_tracer("stream_app", __version__), time.time_ns, time.monotonic)


def spans_by(tracer: Tracer, wall_ns: Callable[[], int], seconds: Callable[[], float]) -> Trace:
    """Makes the spans of a round after its end: `round`, and in it `take`, `fold`, `transaction`.

    `seconds` is the clock of `Times`; both are asked once a round, which places it in time.
    """
    from opentelemetry.trace import set_span_in_context

    def tell(times: Times) -> None:
        base, now = wall_ns(), seconds()
        begun, taken, folded, committed = (
            base - round((now - at) * 1e9) for at in times[1:5]
        )  # fmt: skip
        figures = {
            "partition": times.partition,
            "events": times.events,
            "rows": times.rows,
            "changes": times.changes,
        }
        whole = tracer.start_span("round", start_time=begun, attributes=figures)
        within = set_span_in_context(whole)
        parts = (
            ("take", begun, taken),
            ("fold", taken, folded),
            ("transaction", folded, committed),
        )
        for name, start, end in parts:
            tracer.start_span(name, within, start_time=start).end(end)
        whole.end(committed)

    return tell


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
