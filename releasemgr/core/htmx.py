"""Page or partial from one URL, and anticipated errors as pages, partials or toasts."""

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django_htmx.http import reswap, retarget, trigger_client_event

from releasemgr.core.errors import DomainError


def is_partial(request: HttpRequest) -> bool:
    """Asked by htmx for a part of the page; a boosted link wants the whole."""
    htmx = getattr(request, "htmx", None)
    return htmx is not None and bool(htmx) and not htmx.boosted and not htmx.history_restore_request


def render_page_or_partial(
    request: HttpRequest, *, page: str, partial: str, context: dict[str, Any], status: int = 200
) -> HttpResponse:
    return render(request, partial if is_partial(request) else page, context, status=status)


def go(request: HttpRequest, url: str) -> HttpResponse:
    """Send the browser to `url`, whether htmx or a plain form asked."""
    if is_partial(request):
        return HttpResponse(headers={"HX-Redirect": url})
    return redirect(url)


def add_toast(response: HttpResponseBase, message: str, *, level: str = "success") -> None:
    """Show a toast with the answer: `level` is success, info, warning or danger."""
    response.headers["HX-Trigger"] = json.dumps({"toast": {"message": message, "level": level}})


def swap_behind_dialog(response: HttpResponse, target: str, *, message: str, level: str) -> HttpResponse:
    """The dialog's own form asked, but the page behind it changes: at the CSS selector `target`, with a toast."""
    add_toast(response, message, level=level)
    trigger_client_event(response, "close-modal", after="settle")
    return reswap(retarget(response, target), "outerHTML")


class DomainErrorMiddleware:
    """Turns a DomainError that left a page's view into its answer. The API has its own exception handler."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exc: Exception) -> HttpResponse | None:
        if not isinstance(exc, DomainError):
            return None
        request.domain_error = exc  # type: ignore[attr-defined]
        if is_partial(request):
            # Nothing is swapped, so nothing typed is lost; the toast says what happened.
            response = HttpResponse(status=exc.status, headers={"HX-Reswap": "none"})
            add_toast(response, exc.message, level="danger")
            return response
        context = {"error": exc, "title": HTTPStatus(exc.status).phrase}
        return render(request, "errors/domain.html", context, status=exc.status)
