"""Every address of the product."""

from django.contrib import admin
from django.urls import include, path

from releasemgr import views

urlpatterns = [
    path("", views.board, name="board"),
    path("accounts/", include("accounts.urls")),
    path("audit/", include("audit.urls")),
    path("", include("releases.urls")),
    path("", include("deployments.urls")),
    path("admin/", admin.site.urls),
    path("api/v1/", include("releasemgr.api")),
    path("openapi.json", views.openapi, name="openapi"),
    path("docs", views.swagger, name="swagger"),
    path("redoc", views.redoc, name="redoc"),
]
