from django.urls import path

from deployments.views import board, clusters, comparing, control, deployments, environments, pacing, targets

app_name = "deployments"
urlpatterns = [
    path("deployments", deployments.deployment_list, name="list"),
    path("deployments/start/<uuid:release_id>/<str:environment>", control.start, name="start"),
    path("deployments/start/<uuid:release_id>/<str:environment>/diff", comparing.start_diff, name="start-diff"),
    path("deployments/for-release/<uuid:release_id>", board.for_release, name="for-release"),
    path("deployments/for-application/<uuid:application_id>", board.for_application, name="for-application"),
    path("deployments/<uuid:pk>", deployments.deployment_detail, name="detail"),
    path("deployments/<uuid:pk>/log", deployments.deployment_log, name="log"),
    path("deployments/<uuid:pk>/manifests", deployments.deployment_manifests, name="manifests"),
    path("deployments/<uuid:pk>/cancel", control.cancel, name="cancel"),
    path("deployments/<uuid:pk>/retry", control.retry, name="retry"),
    path("deployments/<uuid:pk>/pause", pacing.pause, name="pause"),
    path("deployments/<uuid:pk>/resume", pacing.resume, name="resume"),
    path("deployments/<uuid:pk>/promote", pacing.promote, name="promote"),
    path("deployments/<uuid:pk>/abort", pacing.abort, name="abort"),
    path("deployments/<uuid:pk>/rollback", control.rollback, name="rollback"),
    path("deployments/<uuid:pk>/approve", control.approve, name="approve"),
    path("deployments/<uuid:pk>/reject", control.reject, name="reject"),
    path("environments", environments.environment_list, name="environments"),
    path("environments/new", environments.environment_create, name="environment-create"),
    path("environments/<str:reference>", environments.environment_detail, name="environment-detail"),
    path("environments/<str:reference>/edit", environments.environment_edit, name="environment-edit"),
    path("environments/<str:reference>/delete", environments.environment_delete, name="environment-delete"),
    path("clusters", clusters.cluster_list, name="clusters"),
    path("clusters/new", clusters.cluster_create, name="cluster-create"),
    path("clusters/<str:reference>/edit", clusters.cluster_edit, name="cluster-edit"),
    path("clusters/<str:reference>/delete", clusters.cluster_delete, name="cluster-delete"),
    path("targets/new", targets.target_create, name="target-create"),
    path("targets/<uuid:pk>/drift", comparing.target_drift, name="target-drift"),
    path("targets/<uuid:pk>/edit", targets.target_edit, name="target-edit"),
    path("targets/<uuid:pk>/delete", targets.target_delete, name="target-delete"),
]
