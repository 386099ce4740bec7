"""The request (or task) in which something happens: carried beside the call, read by audit and logs."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RequestContext:
    """`ip` is the peer's address, or the one a trusted proxy reports; both fields are empty outside a request."""

    request_id: str = ""
    ip: str | None = None


_current: ContextVar[RequestContext | None] = ContextVar("request_context", default=None)


def current_request_context() -> RequestContext:
    return _current.get() or RequestContext()


@contextmanager
def request_context(context: RequestContext) -> Iterator[None]:
    token = _current.set(context)
    try:
        yield
    finally:
        _current.reset(token)
