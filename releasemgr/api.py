"""The REST API: every app adds its own addresses under /api/v1/."""

from django.http import HttpRequest, JsonResponse
from django.urls import include, path, re_path
from django.views.decorators.csrf import csrf_exempt

from releasemgr import metrics, probes
from releasemgr.core.api import error_body


@csrf_exempt
def not_found(request: HttpRequest) -> JsonResponse:
    return JsonResponse(error_body("not_found", f"There is no address {request.path} in this API."), status=404)


urlpatterns = [
    path("health", probes.health, name="health"),
    path("ready", probes.ready, name="ready"),
    path("metrics", metrics.metrics, name="metrics"),
    path("", include("accounts.api")),
    path("", include("audit.api")),
    path("", include("releases.api")),
    path("", include("deployments.api")),
    re_path(r"", not_found),
]
