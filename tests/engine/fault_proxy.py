"""A proxy in front of a cluster that breaks what a network and a server can break: real sockets, on schedule.

`proxy.plan` is asked about each request and answers with the fault it meets, or None. A fault gets the exchange and
does with it what it likes.
"""

import http.client
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

PASSED_ON = ("Content-Type", "Retry-After")


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Exchange:
    """One request on its way. `times`: how often this very request has been made, 1 for the first."""

    handler: "_Handler" = field(repr=False)
    method: str
    path: str
    body: bytes = field(repr=False)
    times: int

    @property
    def is_watch(self) -> bool:
        return "watch=true" in self.path

    def forward(self) -> Answer:
        """What the cluster answers: from here on the request did happen."""
        return self.handler.server.ask(self)

    def answer(self, status: int, body: bytes, headers: Mapping[str, str] | None = None, *, sent: int = -1) -> None:
        """With `sent` only so many bytes of the body go out before the line is cut."""
        self.handler.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.handler.send_header(name, value)
        self.handler.send_header("Content-Length", str(len(body)))
        self.handler.end_headers()
        self.handler.wfile.write(body if sent < 0 else body[:sent])
        self.handler.wfile.flush()
        if sent >= 0:
            self.cut()

    def cut(self) -> None:
        self.handler.close_connection = True


Fault = Callable[[Exchange], None]
Plan = Callable[[Exchange], Fault | None]


def no_faults(exchange: Exchange) -> None:
    return None


class FaultProxy(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = urlsplit(upstream).netloc
        self.plan: Plan = no_faults
        self.asked: list[str] = []
        self.faults = 0
        self.times: dict[str, int] = {}
        # The first answer to each read, for those that show the past.
        self.past: dict[str, Answer] = {}
        self.lines: set[socket.socket] = set()
        self.guard = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def leave(self) -> None:
        """From now on connections are refused; those that are open are cut."""
        self.shutdown()
        self.socket.close()
        with self.guard:
            for line in self.lines:
                _cut(line)

    def come_back(self) -> None:
        """At the same address."""
        self.socket = socket.create_server(self.server_address, backlog=64)
        self.start()

    def start(self) -> None:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def meet(self, handler: "_Handler", body: bytes) -> None:
        key = f"{handler.command} {handler.path} {hash(body)}"
        with self.guard:
            self.times[key] = self.times.get(key, 0) + 1
            self.asked.append(key)
            exchange = Exchange(handler, handler.command, handler.path, body, self.times[key])
            fault = self.plan(exchange)
            self.faults += fault is not None
        (fault or passed_on)(exchange)

    def ask(self, exchange: Exchange) -> Answer:
        connection = http.client.HTTPConnection(self.upstream, timeout=30)
        headers = {name: value for name, value in exchange.handler.headers.items() if name.lower() != "host"}
        try:
            connection.request(exchange.method, exchange.path, exchange.body or None, headers)
            response = connection.getresponse()
            told = {name: response.headers[name] for name in PASSED_ON if name in response.headers}
            answer = Answer(response.status, told, response.read())
        finally:
            connection.close()
        if exchange.method == "GET" and answer.status == 200:
            self.past.setdefault(exchange.path, answer)
        return answer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are part of these tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FaultProxy

    def _take(self) -> None:
        self.server.meet(self, self.rfile.read(int(self.headers.get("Content-Length") or 0)))

    do_GET = do_POST = do_PATCH = do_DELETE = _take  # noqa: N815

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self.server.guard:
            self.server.lines.add(self.connection)

    def finish(self) -> None:
        with self.server.guard:
            self.server.lines.discard(self.connection)
        super().finish()

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


def _cut(line: socket.socket) -> None:
    with suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)


def passed_on(exchange: Exchange) -> None:
    answer = exchange.forward()
    exchange.answer(answer.status, answer.body, answer.headers)


@contextmanager
def in_front_of(upstream: str) -> Iterator[FaultProxy]:
    proxy = FaultProxy(upstream)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.shutdown()
        proxy.server_close()
