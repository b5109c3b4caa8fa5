from __future__ import annotations

import subprocess
import sys

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from stream_app.kafka.partition import tracing as module
from stream_app.kafka.partition.tracing import Times, TracingMissing, spans_by, tracing
from stream_app.settings import Settings

#: Seconds of the monotonic clock, and nanoseconds of the wall at the moment of telling.
NOW, WALL = 100.0, 1_700_000_000_000_000_000


@pytest.fixture
def spans() -> InMemorySpanExporter:
    """What was told of a round that was begun 4 s ago and took a second for each part."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tell = spans_by(provider.get_tracer("test"), lambda: WALL, lambda: NOW)
    tell(Times(3, NOW - 4, NOW - 3, NOW - 2, NOW - 1, events=50, rows=7, changes=2))
    return exporter


def test_a_round_has_three_parts_that_follow_one_another(spans: InMemorySpanExporter) -> None:
    *parts, whole = spans.get_finished_spans()
    assert whole.name == "round"
    assert [part.name for part in parts] == ["take", "fold", "transaction"]
    assert {part.parent.span_id for part in parts} == {whole.context.span_id}
    ago = [(WALL - at) // 10**9 for part in parts for at in (part.start_time, part.end_time)]
    assert ago == [4, 3, 3, 2, 2, 1]
    assert (whole.start_time, whole.end_time) == (parts[0].start_time, parts[-1].end_time)


def test_a_round_tells_what_it_did(spans: InMemorySpanExporter) -> None:
    *_, whole = spans.get_finished_spans()
    assert dict(whole.attributes) == {"partition": 3, "events": 50, "rows": 7, "changes": 2}


def test_without_the_extra_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_NEEDED", ("opentelemetry.nothing_of_that_name",))
    with pytest.raises(TracingMissing, match=r"pip install 'stream-app\[otel\]'"):
        tracing(Settings(traces="otlp"))
    assert tracing(Settings()) is None


def test_who_does_not_ask_for_traces_imports_nothing_of_them() -> None:
    code = (
        "import sys\n"
        "from stream_app.app import create_app\n"
        "from stream_app.kafka.partition.tracing import tracing\n"
        "from stream_app.settings import Settings\n"
        "assert tracing(Settings()) is None\n"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')]\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_who_asks_gets_spans_sent_over_http() -> None:
    code = (
        "import http.server, os, threading\n"
        "from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (\n"
        "    ExportTraceServiceRequest,\n"
        ")\n"
        "got, came = [], threading.Event()\n"
        "class Collector(http.server.BaseHTTPRequestHandler):\n"
        "    def do_POST(self):\n"
        "        body = self.rfile.read(int(self.headers['Content-Length']))\n"
        "        got.append((self.path, body))\n"
        "        self.send_response(200)\n"
        "        self.end_headers()\n"
        "        came.set()\n"
        "    def log_message(self, *args): pass\n"
        "server = http.server.HTTPServer(('127.0.0.1', 0), Collector)\n"
        "threading.Thread(target=server.serve_forever, daemon=True).start()\n"
        "os.environ |= {\n"
        "    'OTEL_EXPORTER_OTLP_ENDPOINT': f'http://127.0.0.1:{server.server_port}',\n"
        "    'OTEL_EXPORTER_OTLP_COMPRESSION': 'none',\n"
        "    'OTEL_BSP_SCHEDULE_DELAY': '50',\n"
        "}\n"
        "from stream_app.kafka.partition.tracing import Times, tracing\n"
        "from stream_app.settings import Settings\n"
        "tracing(Settings(traces='otlp', app_id='shop'))(Times(3, 1, 2, 3, 4, 50, 7, 2))\n"
        "assert came.wait(20)\n"
        "path, body = got[0]\n"
        "assert path == '/v1/traces'\n"
        "(found,) = ExportTraceServiceRequest.FromString(body).resource_spans\n"
        "named = {a.key: a.value.string_value for a in found.resource.attributes}\n"
        "assert named['service.name'] == 'shop'\n"
        "assert {s.name for s in found.scope_spans[0].spans} >= {'round', 'take', 'fold'}\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
