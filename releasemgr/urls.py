"""Every address of the product."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from accounts.views.logins import admin_login, log_out
from releasemgr import docs, views

urlpatterns = [
    path("", views.board, name="board"),
    path("accounts/", include("accounts.urls")),
    path("audit/", include("audit.urls")),
    path("", include("releases.urls")),
    path("", include("deployments.urls")),
    path("admin/login/", admin_login),
    path("admin/logout/", log_out),
    path("admin/password_change/", RedirectView.as_view(pattern_name="accounts:password-change")),
    path("admin/", admin.site.urls),
    path("api/v1/", include("releasemgr.api")),
    path("openapi.json", docs.openapi, name="openapi"),
    path("docs", docs.swagger, name="swagger"),
    path("redoc", docs.redoc, name="redoc"),
]

handler400 = "releasemgr.fallbacks.bad_request"
handler403 = "releasemgr.fallbacks.permission_denied"
handler404 = "releasemgr.fallbacks.page_not_found"
handler500 = "releasemgr.fallbacks.server_error"
