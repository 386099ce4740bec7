"""Gives every request its audit context, and records the attempts that were refused."""

import ipaddress
import logging
import re
import uuid
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from audit.services import record_denied
from releasemgr.core.actors import ANONYMOUS, Actor
from releasemgr.core.context import RequestContext, request_context
from releasemgr.core.errors import DomainError

logger = logging.getLogger(__name__)
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


def client_ip(request: HttpRequest) -> str | None:
    """The peer's address; behind a trusted proxy the rightmost forwarded address that is no proxy of ours."""
    peer = str(request.META.get("REMOTE_ADDR", ""))
    forwarded = str(request.META.get("HTTP_X_FORWARDED_FOR", ""))
    hops = [peer, *(hop.strip() for hop in reversed(forwarded.split(",")) if hop.strip())]
    address = None
    for hop in hops:
        try:
            address = ipaddress.ip_address(hop)
        except ValueError:
            # Sent by who is no proxy of ours: nothing behind it is worth more.
            return None
        if not any(address in ipaddress.ip_network(network, strict=False) for network in settings.TRUSTED_PROXIES):
            break
    return str(address)


def _actor(request: HttpRequest) -> Actor:
    return getattr(request, "actor", ANONYMOUS)


class RequestContextMiddleware:
    """A stranger's refusals stay out of the audit log: it is append-only, and anybody could fill it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        offered = request.headers.get("X-Request-ID", "")
        request_id = offered if REQUEST_ID.fullmatch(offered) else uuid.uuid4().hex
        with request_context(RequestContext(request_id=request_id, ip=client_ip(request))):
            response = self.get_response(request)
            if response.status_code == 403 and _actor(request).is_authenticated:
                self._record_denied(request)
        response.headers["X-Request-ID"] = request_id
        return response

    def _record_denied(self, request: HttpRequest) -> None:
        error = getattr(request, "domain_error", None)
        details = error.details if isinstance(error, DomainError) else {}
        record_denied(
            actor=_actor(request),
            what=f"{request.method} {request.path}",
            data={"reason": str(error or "refused"), **details},
        )
