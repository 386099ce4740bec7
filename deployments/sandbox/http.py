"""HTTP/1.1 on asyncio: keep-alive, whole bodies in, whole or chunked answers out."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, unquote

import httptools

logger = logging.getLogger(__name__)

MAX_BODY = 3 * 1024 * 1024


@dataclass(slots=True)
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes = b""


@dataclass(slots=True)
class Response:
    """An answer; with `stream` the body is sent chunk by chunk as it is made."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: list[tuple[str, str]] = field(default_factory=list)
    stream: AsyncIterator[bytes] | None = None


def json_response(body: Any, status: int = 200) -> Response:
    return Response(status, json.dumps(body, separators=(",", ":")).encode() + b"\n")


def text_response(text: str, status: int = 200) -> Response:
    return Response(status, text.encode(), "text/plain; charset=utf-8")


Handler = Callable[[Request], Awaitable[Response]]


class Connection(asyncio.Protocol):
    """One client's connection: requests are answered one after another, in order."""

    def __init__(self, handler: Handler, connections: "set[Connection]") -> None:
        self._handler = handler
        self._connections = connections
        self._parser = httptools.HttpRequestParser(self)
        self._queue: asyncio.Queue[Request | None] = asyncio.Queue()
        self._writable = asyncio.Event()
        self._writable.set()
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None
        self._url = b""
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._size = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - narrows the type; a TCP server gives no other
        self._transport = transport
        self._connections.add(self)
        self._task = asyncio.get_running_loop().create_task(self._serve())

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        self._writable.set()
        # Both: a task that is just being woken may swallow its cancellation, and then finds the end in its queue.
        self._queue.put_nowait(None)
        if self._task:
            self._task.cancel()

    def close(self) -> None:
        if self._transport:
            self._transport.abort()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            self.close()

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        key = name.decode("latin-1").lower()
        self._headers[key] = value.decode("latin-1")
        if key == "expect" and value.lower() == b"100-continue":
            self._send(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        if self._size <= MAX_BODY:
            self._body.append(body)

    def on_message_complete(self) -> None:
        path, _, query = self._url.decode("latin-1").partition("?")
        method = self._parser.get_method().decode("ascii")
        body = b"".join(self._body)
        if self._size > MAX_BODY:
            method = "TOO-LARGE"
        pairs = dict(parse_qsl(query, keep_blank_values=True))
        self._queue.put_nowait(Request(method, unquote(path), pairs, self._headers, body))
        self._url, self._headers, self._body, self._size = b"", {}, [], 0

    async def _serve(self) -> None:
        while request := await self._queue.get():
            try:
                response = await self._handler(request)
            except Exception:
                logger.exception("The sandbox cluster could not answer %s %s", request.method, request.path)
                response = text_response("internal error", 500)
            await self._answer(response)
            if request.headers.get("connection", "").lower() == "close" and self._transport:
                self._transport.close()
                return

    async def _answer(self, response: Response) -> None:
        phrase = HTTPStatus(response.status).phrase
        lines = [f"HTTP/1.1 {response.status} {phrase}", f"Content-Type: {response.content_type}"]
        lines += [f"{name}: {value}" for name, value in response.headers]
        length = "Transfer-Encoding: chunked" if response.stream else f"Content-Length: {len(response.body)}"
        head = "\r\n".join([*lines, length, "", ""]).encode("latin-1")
        if response.stream is None:
            self._send(head + response.body)
            return
        self._send(head)
        async for chunk in response.stream:
            await self._writable.wait()
            self._send(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        self._send(b"0\r\n\r\n")

    def _send(self, data: bytes) -> None:
        if self._transport and not self._transport.is_closing():
            self._transport.write(data)
