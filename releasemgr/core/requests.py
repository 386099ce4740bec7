"""The request as our middleware leaves it: what views annotate."""

from typing import cast

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

from releasemgr.core.actors import Actor


class Request(HttpRequest):
    actor: Actor
    htmx: HtmxDetails


def actor_of(request: HttpRequest) -> Actor:
    """For methods whose signature Django fixes."""
    return cast(Request, request).actor
