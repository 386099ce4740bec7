"""The request as our middleware leaves it: what views annotate."""

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

from releasemgr.core.actors import Actor


class Request(HttpRequest):
    actor: Actor
    htmx: HtmxDetails
