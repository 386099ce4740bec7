"""An HTTP server that answers discovery as recorded and everything else as a test says: for faults that a working
cluster does not show."""

import json
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


# An answer is (status, JSON body); None means that the script has sent its lines itself.
Script = Callable[[Asked], tuple[int, Any] | None]


@dataclass
class Scripted:
    url: str
    asked: list[Asked]


def _discovery() -> dict[str, Any]:
    return {request["path"]: body for request, _, body in recordings.answers("discovery")}


@contextmanager
def serving(script: Script) -> Iterator[Scripted]:
    discovery = _discovery()
    asked: list[Asked] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            self.rfile.read(length)
            parts = urlsplit(self.path)
            if parts.path in discovery:
                self._json(200, discovery[parts.path])
                return
            request = Asked(self.command, parts.path, dict(parse_qsl(parts.query)), dict(self.headers), self._stream)
            asked.append(request)
            self._streaming = False
            answer = script(request)
            if answer is not None:
                self._json(*answer)
            elif self._streaming:
                self.wfile.write(b"0\r\n\r\n")
            else:
                self.close_connection = True

        do_GET = do_POST = do_PATCH = _answer  # noqa: N815

        def _json(self, status: int, body: Any) -> None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
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

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield Scripted(f"http://127.0.0.1:{server.server_port}", asked)
    finally:
        server.shutdown()
        server.server_close()
