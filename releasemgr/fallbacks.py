"""The answers when no view gave one: JSON under /api/, a page elsewhere."""

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string

from releasemgr.core.api import CODES, TOO_LARGE, error_body
from releasemgr.core.context import current_request_context
from releasemgr.core.htmx import add_toast, is_partial

SENTENCES = {
    400: "The request is malformed: check its address, headers and body.",
    403: "You may not do this.",
    404: "There is no such thing here, or you may not see it.",
    500: "The server could not finish this; nothing half-done was kept. Try again; if it stays, tell an administrator.",
}


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return too_large(request) if isinstance(exception, RequestDataTooBig) else _answer(request, 400)


def too_large(request: HttpRequest) -> HttpResponse:
    """Django's own middleware meets the body first, so no view and no form can say this."""
    if is_api(request):
        return JsonResponse(error_body("too_large", TOO_LARGE), status=413)
    if is_partial(request):
        # Nothing is swapped, so nothing typed is lost.
        response = HttpResponse(status=413, headers={"HX-Reswap": "none"})
        add_toast(response, TOO_LARGE, level="danger")
        return response
    return render(
        request, "errors/400.html", {"message": TOO_LARGE, "next": "Go back; your form is there."}, status=413
    )


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, 403)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, 404)


def server_error(request: HttpRequest) -> HttpResponse:
    if is_api(request):
        return _answer(request, 500)
    # Without the request: what its context processors ask may be what is broken.
    return HttpResponse(render_to_string("errors/500.html"), status=500)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    if is_api(request):
        return JsonResponse(error_body("forbidden", f"CSRF check failed: {reason}"), status=403)
    return render(request, "errors/csrf.html", status=403)


def is_api(request: HttpRequest) -> bool:
    return request.path.startswith("/api/") or request.path == "/api"


def _answer(request: HttpRequest, status: int) -> HttpResponse:
    if is_api(request):
        details = {"request_id": current_request_context().request_id}
        return JsonResponse(error_body(CODES[status], SENTENCES[status], details), status=status)
    return render(request, f"errors/{status}.html", status=status)
