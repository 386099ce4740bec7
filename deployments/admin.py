"""Places and deployments in the admin: to look at. What changes anything goes through the services.

Secrets are deferred, and named in no list of fields.
"""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from deployments import services
from deployments.models import (
    Bake,
    Check,
    Cluster,
    Deployment,
    DeploymentApproval,
    Environment,
    LogLine,
    Measurement,
    Step,
    Target,
    Train,
)
from deployments.selectors.deployments import LONG
from releasemgr.core.admin import LookOnlyAdmin
from releasemgr.core.errors import DomainError
from releasemgr.core.requests import Request


@admin.register(Cluster)
class ClusterAdmin(LookOnlyAdmin):
    list_display = ["name", "server", "version", "problem", "checked_at"]
    search_fields = ["name", "server"]
    fields = ["name", "server", "version", "problem", "checked_at", "credentials_version", "created_at"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Cluster]:
        return Cluster.objects.defer("kubeconfig")


@admin.register(Environment)
class EnvironmentAdmin(LookOnlyAdmin):
    list_display = [
        "name", "position", "protected", "auto_rollback", "requires", "soak_minutes", "verify_seconds", "bake_seconds",
    ]  # fmt: skip
    list_select_related = ["requires"]


@admin.register(Target)
class TargetAdmin(LookOnlyAdmin):
    list_display = ["application", "environment", "cluster", "namespace", "kind", "wave", "timeout_seconds"]
    list_filter = ["environment", "cluster", "kind"]
    list_select_related = ["application", "environment", "cluster"]
    search_fields = ["application__slug", "namespace"]
    fields = [
        "application", "environment", "cluster", "namespace", "kind", "timeout_seconds", "wave",
        "overrides", "strategy", "guardrails", "deployment_sequence", "created_at",
    ]  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Target]:
        return Target.objects.defer("database_url", "cluster__kubeconfig")


class StepInline(admin.TabularInline):  # type: ignore[type-arg]
    model = Step
    extra = 0
    can_delete = False
    fields = ["position", "name", "status", "message", "attempts", "started_at", "completed_at"]
    readonly_fields = ["position", "name", "status", "message", "attempts", "started_at", "completed_at"]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Deployment)
class DeploymentAdmin(LookOnlyAdmin):
    list_display = ["release", "environment", "kind", "status", "deployed_by", "created_at", "completed_at"]
    list_filter = ["status", "kind", "environment"]
    list_select_related = ["release__application", "environment", "deployed_by"]
    search_fields = ["=id", "application__slug", "release__version"]
    fields = [
        "release", "environment", "target", "kind", "status", "automatic", "deployed_by", "reason", "not_before",
        "not_after", "rolls_back", "part_of", "train", "strategy", "take_over", "prune", "sequence", "created_at",
        "started_at", "paused_at", "completed_at", "error_message", "gates", "release_digest",
        "cancel_requested_at", "cancel_requested_by", "claimed_until", "wake_at",
    ]  # fmt: skip
    inlines = [StepInline]
    actions = ["cancel"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Deployment]:
        return Deployment.objects.defer(*LONG)

    @admin.action(description="Cancel the selected deployments", permissions=["view"])
    def cancel(self, request: Request, queryset: QuerySet[Deployment]) -> None:
        for deployment in queryset.select_related("target__application", "target__environment"):
            try:
                services.cancel_deployment(actor=request.actor, deployment=deployment)
            except DomainError as error:
                self.message_user(request, f"{deployment}: {error.message}", level=messages.ERROR)
            else:
                self.message_user(request, f"{deployment} stops at the next safe point.")


@admin.register(Step)
class StepAdmin(LookOnlyAdmin):
    list_display = ["deployment", "position", "name", "status", "attempts", "started_at", "completed_at"]
    list_filter = ["status", "name"]
    list_select_related = ["deployment__release__application", "deployment__environment"]
    fields = ["deployment", "position", "name", "status", "message", "attempts", "started_at", "completed_at"]


@admin.register(LogLine)
class LogLineAdmin(LookOnlyAdmin):
    list_display = ["created_at", "deployment", "step", "level", "message"]
    list_filter = ["level", "step"]
    list_select_related = ["deployment__release__application", "deployment__environment"]
    search_fields = ["=deployment__id"]
    ordering = ["-id"]


@admin.register(DeploymentApproval)
class DeploymentApprovalAdmin(LookOnlyAdmin):
    list_display = ["deployment", "user", "decision", "comment", "created_at"]
    list_filter = ["decision"]
    list_select_related = ["deployment__release__application", "deployment__environment", "user"]


@admin.register(Check)
class CheckAdmin(LookOnlyAdmin):
    list_display = ["name", "application", "environment", "kind", "interval_seconds", "window_seconds", "failure_limit"]
    list_filter = ["kind", "environment"]
    list_select_related = ["application", "environment"]
    search_fields = ["name", "application__slug"]
    fields = [
        "name", "application", "environment", "kind", "url", "query", "expect", "interval_seconds", "window_seconds",
        "failure_limit", "on_no_data", "created_at",
    ]  # fmt: skip


@admin.register(Measurement)
class MeasurementAdmin(LookOnlyAdmin):
    list_display = ["created_at", "deployment", "name", "phase", "verdict", "value"]
    list_filter = ["verdict", "phase"]
    list_select_related = ["deployment__release__application", "deployment__environment"]
    search_fields = ["=deployment__id"]
    fields = ["deployment", "name", "phase", "verdict", "value", "sentence", "created_at"]
    ordering = ["-id"]


@admin.register(Bake)
class BakeAdmin(LookOnlyAdmin):
    list_display = ["deployment", "status", "until", "completed_at", "message"]
    list_filter = ["status"]
    list_select_related = ["deployment__release__application", "deployment__environment"]
    fields = ["deployment", "status", "until", "completed_at", "message", "evidence", "claimed_until", "wake_at"]


@admin.register(Train)
class TrainAdmin(LookOnlyAdmin):
    list_display = ["environment", "created_by", "created_at", "reason"]
    list_filter = ["environment"]
    list_select_related = ["environment", "created_by"]
    fields = ["environment", "reason", "created_by", "created_at"]
