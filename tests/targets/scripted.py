"""An HTTP server that answers discovery as recorded and everything else as a test says: for faults that a working
cluster does not show."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.targets import recordings


@dataclass
class Asked:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str] = field(repr=False)
    send: Callable[[bytes], None] = field(repr=False)
    body: Any = None


# An answer is (status, JSON body or bytes); None means that the script has sent its lines itself, or cuts the line.
Script = Callable[[Asked], tuple[int, Any] | None]


class Scripted(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, script: Script) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script = script
        self.asked: list[Asked] = []
        self.discovery = {request["path"]: body for request, _, body in recordings.answers("discovery")}

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are part of these tests."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Scripted

    def _answer(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._streaming = False
        parts = urlsplit(self.path)
        if parts.path in self.server.discovery:
            self._send(200, self.server.discovery[parts.path])
            return
        query, body = dict(parse_qsl(parts.query)), json.loads(content or "null")
        asked = Asked(self.command, parts.path, query, dict(self.headers), self._stream, body)
        self.server.asked.append(asked)
        answer = self.server.script(asked)
        if answer is not None:
            self._send(*answer)
        elif self._streaming:
            self.wfile.write(b"0\r\n\r\n")
        else:
            self.close_connection = True

    do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815

    def _send(self, status: int, body: Any) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if 300 <= status < 400:
            self.send_header("Location", body["location"])
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, data: bytes) -> None:
        if not self._streaming:
            self._streaming = True
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
        if data:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


@contextmanager
def serving(script: Script, *, context: ssl.SSLContext | None = None) -> Iterator[Scripted]:
    server = Scripted(script)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
