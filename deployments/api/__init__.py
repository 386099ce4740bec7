"""The API of deployments, and of the places they go to."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from deployments.api.alerts import Alerts
from deployments.api.checks import Checks
from deployments.api.deployments import Deployments, ReleaseDeployments
from deployments.api.places import Clusters, Environments, Targets
from deployments.api.trains import Trains

router = SimpleRouter(trailing_slash=False)
router.register("environments", Environments, basename="environment")
router.register("clusters", Clusters, basename="cluster")
router.register("targets", Targets, basename="target")
router.register("checks", Checks, basename="check")
router.register("trains", Trains, basename="train")
router.register("deployments", Deployments, basename="deployment")
urlpatterns = [
    path("releases/<str:pk>/deploy", ReleaseDeployments.as_view({"post": "deploy"}), name="release-deploy"),
    path("releases/<str:pk>/preview", ReleaseDeployments.as_view({"get": "preview"}), name="release-preview"),
    path("releases/<str:pk>/diff", ReleaseDeployments.as_view({"get": "diff"}), name="release-diff"),
    path("alerts", Alerts.as_view({"post": "create"}), name="alerts"),
    *router.urls,
]
