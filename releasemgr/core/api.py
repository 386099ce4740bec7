"""What every API endpoint shares: one error shape, keyset pages."""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db.models import QuerySet
from django.http import Http404
from rest_framework import exceptions
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView, set_rollback

from releasemgr.core.errors import DomainError

# DRF's codes in our words, by HTTP status.
CODES = {
    400: "malformed",
    401: "not_authenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    409: "wrong_state",
    412: "precondition_failed",
    413: "too_large",
    415: "unsupported_media_type",
    422: "invalid",
    429: "too_many_attempts",
    500: "server_error",
    503: "unavailable",
}
TOO_LARGE = "The request body is too large: at most 2 MB are read. Send less, or split the manifests."


def error_body(code: str, message: str, details: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return {"code": code, "message": message, "details": dict(details or {})}


def handle_exception(exc: Exception, context: Mapping[str, Any]) -> Response | None:
    """DRF's EXCEPTION_HANDLER: {"code", "message", "details"} for every anticipated error; None lets a bug be a 500."""
    response = _respond(exc)
    if response is not None:
        request = context["request"]
        request._request.domain_error = exc
        set_rollback()
        if response.status_code == 401:
            response["WWW-Authenticate"] = "Token"
    return response


def _respond(exc: Exception) -> Response | None:
    if isinstance(exc, DomainError):
        headers = {}
        if "retry_after_seconds" in exc.details:
            headers["Retry-After"] = str(exc.details["retry_after_seconds"])
        return Response(error_body(exc.code, exc.message, exc.details), status=exc.status, headers=headers)
    if isinstance(exc, Http404):
        return Response(error_body("not_found", "There is no such thing here, or you may not see it."), status=404)
    if isinstance(exc, PermissionDenied):
        return Response(error_body("forbidden", str(exc) or "You may not do this."), status=403)
    if isinstance(exc, RequestDataTooBig):
        return Response(error_body("too_large", TOO_LARGE), status=413)
    if isinstance(exc, DjangoValidationError):
        details = exc.message_dict if hasattr(exc, "error_dict") else {"non_field_errors": exc.messages}
        return Response(error_body("invalid", _first(details), details), status=422)
    if isinstance(exc, exceptions.APIException):
        return _respond_to_drf(exc)
    return None


def _respond_to_drf(exc: exceptions.APIException) -> Response:
    status, message = exc.status_code, str(exc.detail)
    details: dict[str, Any] = {}
    if isinstance(exc, exceptions.ValidationError):
        details = exc.detail if isinstance(exc.detail, dict) else {"non_field_errors": exc.detail}
        # A body that is no object, or lacks what it must have, is malformed; a value that a rule refuses is invalid.
        status, message = 422, _first(details)
    if isinstance(exc, exceptions.ParseError):
        message = f"The body is not valid JSON: {exc.detail}"
    headers = {"Retry-After": str(int(wait))} if (wait := getattr(exc, "wait", None)) else {}
    return Response(error_body(CODES.get(status, "error"), message, details), status=status, headers=headers)


def _first(details: Any, field: str = "") -> str:
    """The first sentence of a nested error structure, with the field that it is about."""
    if isinstance(details, Mapping):
        name, rest = next(iter(details.items()), ("", "Invalid."))
        return _first(rest, field if name == "non_field_errors" else str(name))
    if isinstance(details, list | tuple):
        return _first(details[0] if details else "Invalid.", field)
    return f"{field}: {details}" if field else str(details)


class CursorPages(CursorPagination):
    """`{"results", "next", "previous"}`; `?limit=` up to 200; `?ordering=` by the fields the view allows."""

    page_size = 50
    page_size_query_param = "limit"
    max_page_size = 200
    ordering = ("-created_at", "-id")

    def get_ordering(self, request: Request, queryset: QuerySet[Any], view: APIView) -> tuple[str, ...]:
        allowed = getattr(view, "ordering_fields", ())
        default = tuple(getattr(view, "ordering", self.ordering))
        asked = request.query_params.get("ordering", "")
        if not asked:
            return default
        if asked.removeprefix("-") not in allowed:
            fields = ", ".join(allowed) or "nothing here"
            raise exceptions.ValidationError({"ordering": [f"Order by one of: {fields}."]})
        # The key makes the order total, so that a page boundary never falls inside equal values.
        return (asked, "-id" if asked.startswith("-") else "id")
