"""Which pages may open our websockets: only our own.

A browser sends cookies with a websocket to wherever a page points it, and no CORS check follows; the Origin header is
all there is. ALLOWED_HOSTS, which may be a wildcard, is no list of friends.
"""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from channels.security.websocket import WebsocketDenier
from django.conf import settings
from django.http.request import validate_host

Scope = dict[str, Any]
Application = Callable[[Scope, Any, Any], Awaitable[None]]
DEFAULT_PORTS = {"http": 80, "https": 443}


class SameOriginValidator:
    """Refuses (403) a handshake whose Origin is not the host it was sent to: absent, null, foreign, or sent twice."""

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        application = self.application if is_same_origin(scope) else WebsocketDenier()
        await application(scope, receive, send)


def is_same_origin(scope: Scope) -> bool:
    origin, host = _single(scope, b"origin"), _single(scope, b"host")
    if not origin or not host:
        return False
    try:
        ours = _place("//" + host, _scheme(origin))
        return _place(origin, _scheme(origin)) == ours and validate_host(ours[0], settings.ALLOWED_HOSTS)
    except ValueError:
        return False


def _scheme(origin: str) -> str:
    """Raises ValueError for what no page of ours can be served by."""
    scheme = origin.partition("://")[0]
    if scheme not in DEFAULT_PORTS:
        raise ValueError(scheme)
    return scheme


def _place(address: str, scheme: str) -> tuple[str, int]:
    """Host and port. Raises ValueError for anything more, or less, than that."""
    parts = urlsplit(address)
    if parts.path or parts.query or parts.fragment or "@" in parts.netloc or not parts.hostname:
        raise ValueError(address)
    name = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return name, parts.port or DEFAULT_PORTS[scheme]


def _single(scope: Scope, name: bytes) -> str:
    """The header's value when it was sent exactly once, else empty."""
    values = [value for key, value in scope.get("headers", []) if key.lower() == name]
    return values[0].decode("latin-1") if len(values) == 1 else ""
