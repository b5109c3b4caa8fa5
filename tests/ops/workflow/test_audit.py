"""The workflow's audit, with a service of known weaknesses that stands here."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import yaml
from support.image import ROOT

TOOLS = ROOT / ".cache/ops/venv/bin"
WEAK = "aiohttp"


class Service(BaseHTTPRequestHandler):
    """Answers as OSV does (https://google.github.io/osv.dev/post-v1-query/)."""

    asked: list[str]
    weak: frozenset[str]
    broken: bool

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name = asked["package"]["name"]
        self.asked.append(name)
        found = {"id": "OSV-1", "summary": "weak", "published": "2026-01-01T00:00:00Z"}
        found |= {"affected": [], "aliases": ["CVE-2026-1"], "details": "weak"}
        body = json.dumps({"vulns": [found]} if name in self.weak else {}).encode()
        self.send_response(500 if self.broken else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def service() -> Iterator[ThreadingHTTPServer]:
    handler = type("Here", (Service,), {"asked": [], "weak": frozenset(), "broken": False})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join(5)


def audit(service: ThreadingHTTPServer) -> subprocess.CompletedProcess[str]:
    """What the workflow runs, asking the service here."""
    job = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]["audit"]
    (line,) = [step["run"] for step in job["steps"] if "pip-audit" in step.get("run", "")]
    name, *arguments = line.split()
    here = f"http://127.0.0.1:{service.server_port}/v1/query"
    return subprocess.run(
        [TOOLS / name, *arguments, "-s", "osv", "--osv-url", here, "--progress-spinner", "off"],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip


def test_nothing_known_is_well_and_all_that_the_image_has_is_asked_for(service) -> None:
    done = audit(service)
    assert done.returncode == 0, done.stderr
    assert {"aiokafka", "opentelemetry-sdk", "hatchling"} <= set(service.RequestHandlerClass.asked)


def test_a_known_weakness_fails(service) -> None:
    service.RequestHandlerClass.weak = frozenset({WEAK})
    done = audit(service)
    assert done.returncode == 1
    assert WEAK in done.stdout
    assert "OSV-1" in done.stdout or "CVE-2026-1" in done.stdout


def test_what_cannot_be_asked_for_is_not_taken_for_well(service) -> None:
    service.RequestHandlerClass.broken = True
    assert audit(service).returncode != 0
