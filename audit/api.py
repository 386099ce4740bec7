"""GET /api/v1/audit-logs: read-only, as JSON pages, CSV or JSON Lines."""

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.pagination import BasePagination
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.views import APIView

from audit.exports import export
from audit.forms import EventFilterForm
from audit.models import Event
from audit.selectors import find_events, get_event
from audit.serializers import FIELDS, EventOutput, event_bodies
from releasemgr.core.api import CursorPages
from releasemgr.core.viewsets import ListMixin, RetrieveMixin

FILTERS = {
    "user": "Id, email address or name of the person.",
    "action": "One action, or all of a kind: `release.*`.",
    "resource_type": "Such as `release` or `deployment`.",
    "resource_id": "The resource's id.",
    "application": "Id of the application it concerns.",
    "since": "Date or time (RFC 3339), included.",
    "until": "Time (RFC 3339), not included; a date includes that day.",
    "q": "Words of the actor, the action, the resource or the reason; or a request id.",
    "format": "`csv` or `jsonl`: everything that matches as one file, instead of pages.",
}


class SequencePages(CursorPages):
    """By sequence alone: it is unique, and each page is one walk of its index."""

    def get_ordering(self, request: Request, queryset: QuerySet[Any], view: APIView) -> tuple[str, ...]:
        return super().get_ordering(request, queryset, view)[:1]


class FileRenderer(BaseRenderer):
    """Takes part in the choice of the format; the file itself is streamed, and errors stay JSON."""

    charset = "utf-8"

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        return json.dumps(data).encode()


class CsvRenderer(FileRenderer):
    media_type = "text/csv"
    format = "csv"


class JsonLinesRenderer(FileRenderer):
    media_type = "application/x-ndjson"
    format = "jsonl"


class PlainJsonLinesRenderer(FileRenderer):
    media_type = "application/jsonl"
    format = "jsonl"


class AuditLogs(ListMixin, RetrieveMixin):
    output_serializer_class = EventOutput
    pagination_class: ClassVar[type[BasePagination] | None] = SequencePages  # type: ignore[misc]
    filter_backends = ()
    ordering = ("-sequence",)
    ordering_fields = ("sequence",)
    renderer_classes = (JSONRenderer, CsvRenderer, JsonLinesRenderer, PlainJsonLinesRenderer)

    def get_queryset(self) -> QuerySet[Event]:
        return find_events(self.actor, EventFilterForm(self.request.query_params).wanted())

    def find(self, identifier: str) -> Event:
        return get_event(self.actor, identifier)

    def represent(self, obj: Event) -> dict[str, Any]:
        return event_bodies([{field: getattr(obj, field) for field in FIELDS}])[0]

    @extend_schema(
        parameters=[
            OpenApiParameter(name, OpenApiTypes.STR, OpenApiParameter.QUERY, description=text)
            for name, text in FILTERS.items()
        ]
    )
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        file_format = request.accepted_renderer.format
        if file_format != "json":
            return export(request._request, self.get_queryset(), format=file_format)
        rows = self.paginate_queryset(self.get_queryset().values(*FIELDS))
        return self.get_paginated_response(event_bodies(rows or []))

    def finalize_response(self, request: Request, response: HttpResponseBase, *args: Any, **kwargs: Any) -> Any:
        is_file = getattr(getattr(request, "accepted_renderer", None), "format", "json") != "json"
        if isinstance(response, Response) and is_file:
            request.accepted_renderer, request.accepted_media_type = JSONRenderer(), "application/json"
        return super().finalize_response(request, response, *args, **kwargs)  # type: ignore[arg-type]


router = SimpleRouter(trailing_slash=False)
router.register("audit-logs", AuditLogs, basename="audit-log")
urlpatterns = router.urls
