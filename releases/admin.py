"""For operators: everything can be looked at, and what changes goes through the services."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest

from releasemgr.core.admin import LookOnlyAdmin
from releasemgr.core.errors import DomainError
from releasemgr.core.requests import Request, actor_of
from releases import services
from releases.models import Application, Approval, ApprovalRule, Comment, Release


class ApprovalInline(admin.TabularInline):  # type: ignore[type-arg]
    model = Approval
    fields = readonly_fields = ("user", "decision", "comment", "digest", "created_at", "voided_at")
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Approval]:
        return super().get_queryset(request).select_related("user")


@admin.register(Release)
class ReleaseAdmin(LookOnlyAdmin):
    list_display = ["version", "application", "status", "created_by", "created_at"]
    list_filter = ["status", "application"]
    list_select_related = ["application", "created_by"]
    search_fields = ["version", "commit", "application__name", "application__slug"]
    date_hierarchy = "created_at"
    inlines = [ApprovalInline]
    actions = ["cancel"]

    @admin.action(description="Cancel the selected releases", permissions=["view"])
    def cancel(self, request: Request, queryset: QuerySet[Release]) -> None:
        cancelled = 0
        for release in queryset.select_related("application__team"):
            try:
                services.cancel_release(actor=actor_of(request), release=release, reason="Cancelled by an operator.")
            except DomainError as error:
                self.message_user(request, f"{release}: {error.message}", messages.ERROR)
            else:
                cancelled += 1
        if cancelled:
            self.message_user(request, f"{cancelled} cancelled.", messages.SUCCESS)


@admin.register(Approval)
class ApprovalAdmin(LookOnlyAdmin):
    list_display = ["release", "user", "decision", "created_at", "voided_at"]
    list_filter = ["decision", ("voided_at", admin.EmptyFieldListFilter)]
    list_select_related = ["release__application", "user"]
    search_fields = ["release__version", "release__application__slug", "user__name", "user__email"]


@admin.register(Comment)
class CommentAdmin(LookOnlyAdmin):
    list_display = ["release", "user", "created_at"]
    list_select_related = ["release__application", "user"]
    search_fields = ["body", "release__version", "release__application__slug", "user__name"]


class ServiceAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Set-up that operators may change; a refusal of the service is a message, and nothing is half-saved."""

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for obj in queryset:
            self.delete_model(request, obj)


@admin.register(Application)
class ApplicationAdmin(ServiceAdmin):
    list_display = ["name", "slug", "team", "repository"]
    list_filter = ["team"]
    list_select_related = ["team"]
    search_fields = ["name", "slug", "repository"]
    fields = ["name", "slug", "team", "repository", "description"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["slug"] if obj else []

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        unused = obj is None or not obj.releases.exists()
        return unused and super().has_delete_permission(request, obj)

    def save_model(self, request: HttpRequest, obj: Application, form: "ModelForm[Any]", change: bool) -> None:  # noqa: FBT001
        if change:
            application = Application.objects.select_related("team").get(pk=obj.pk)
            changes = {name: form.cleaned_data[name] for name in form.changed_data}
            services.update_application(actor=actor_of(request), application=application, changes=changes)
        else:
            _become(obj, services.create_application(actor=actor_of(request), **form.cleaned_data))

    def delete_model(self, request: HttpRequest, obj: Application) -> None:
        services.delete_application(actor=actor_of(request), application=obj)


@admin.register(ApprovalRule)
class ApprovalRuleAdmin(ServiceAdmin):
    list_display = ["__str__", "application", "environment", "team", "role", "count"]
    list_filter = ["application", "environment", "team"]
    list_select_related = ["application", "environment", "team"]
    search_fields = ["application__slug", "team__slug"]

    def save_model(self, request: HttpRequest, obj: ApprovalRule, form: "ModelForm[Any]", change: bool) -> None:  # noqa: FBT001
        if change:
            rule = ApprovalRule.objects.select_related("team").get(pk=obj.pk)
            changes = {name: form.cleaned_data[name] for name in form.changed_data}
            services.update_approval_rule(actor=actor_of(request), rule=rule, changes=changes)
        else:
            _become(obj, services.create_approval_rule(actor=actor_of(request), **form.cleaned_data))

    def delete_model(self, request: HttpRequest, obj: ApprovalRule) -> None:
        services.delete_approval_rule(actor=actor_of(request), rule=obj)


def _become(obj: Model, saved: Model) -> None:
    """The admin goes on with the object that it built itself; let that be the one that the service wrote."""
    obj.pk = saved.pk
    obj._state.adding = False
    obj.refresh_from_db()
