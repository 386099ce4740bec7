"""Real HTTP servers on this machine: one that plays an application, and one that plays Prometheus."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import pytest

from deployments.health.base import Reach, Subject

SUBJECT = Subject(
    application="checkout", version="2.0.0+build", environment="staging", namespace="shop", deployment_id="d-1",
    sequence=7, target_id="t-1", window_seconds=60, phase="verify",
)  # fmt: skip
LOOPBACK = Reach(allowed_hosts=("127.0.0.0/8",))


@dataclass
class Listener:
    """`answer` says status, headers and body for a path; `seen` are the requests, `queries` what was asked in forms."""

    answer: Callable[[str], tuple[int, dict[str, str], bytes]] = lambda path: (200, {}, b"ok")
    seen: list[str] = field(default_factory=list)
    queries: list[str] = field(default_factory=list)
    hosts: list[str] = field(default_factory=list)
    server: Any = None

    @property
    def port(self) -> int:
        return int(self.server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def says(self, status: int, body: Any = b"ok", **headers: str) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.answer = lambda path: (status, headers, data)

    def measures(self, *values: str) -> None:
        """Prometheus' own shape: a vector with one series for each value."""
        result = [{"metric": {"pod": str(n)}, "value": [1700000000.123, value]} for n, value in enumerate(values)]
        self.says(200, {"status": "success", "data": {"resultType": "vector", "result": result}})


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.seen.append(f"{self.command} {self.path}")
            made.hosts.append(self.headers.get("Host", ""))
            length = int(self.headers.get("Content-Length") or 0)
            if length:
                made.queries.append(parse_qs(self.rfile.read(length).decode())["query"][0])
            status, headers, body = made.answer(self.path)
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(body))} | headers).items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 - the library's name

        def log_message(self, *args: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    # Whoever hangs up early, as the checks do with long answers, is no reason for a traceback.
    server.handle_error = lambda *args: None  # type: ignore[method-assign]
    made.server = server
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield made
    server.shutdown()
    server.server_close()
    thread.join()
