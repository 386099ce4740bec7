"""For operators: people and teams can be looked at here, and are edited on their pages, through the services."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse

from accounts import services
from accounts.models import ApiToken, FailedLogin, Membership, Team, User
from releasemgr.core.admin import LookOnlyAdmin
from releasemgr.core.errors import DomainError
from releasemgr.core.requests import Request

# Rights come with the membership in a team, so groups are not edited by hand.
admin.site.unregister(Group)
# Registered by knox, with the digest and without our names.
if admin.site.is_registered(ApiToken):
    admin.site.unregister(ApiToken)


@admin.register(User)
class UserAdmin(LookOnlyAdmin):
    list_display = ["name", "email", "username", "role", "is_active", "last_login"]
    list_filter = ["role", "is_active", "memberships__team"]
    search_fields = ["name", "email", "username"]
    fields = ["name", "email", "username", "role", "is_active", "created_at", "last_login"]
    actions = ["deactivate", "activate"]

    def view_on_site(self, obj: User) -> str:
        return reverse("accounts:person-edit", args=[obj.pk])

    @admin.action(description="Deactivate: sessions and tokens end at once", permissions=["view"])
    def deactivate(self, request: Request, queryset: QuerySet[User]) -> None:
        self._change(request, queryset, is_active=False)

    @admin.action(description="Activate", permissions=["view"])
    def activate(self, request: Request, queryset: QuerySet[User]) -> None:
        self._change(request, queryset, is_active=True)

    def _change(self, request: Request, queryset: QuerySet[User], **changes: Any) -> None:
        for user in queryset:
            try:
                services.update_user(actor=request.actor, user=user, changes=changes)
            except DomainError as error:
                self.message_user(request, error.message, messages.ERROR)
            else:
                self.message_user(request, f"{user} is saved.", messages.SUCCESS)


class MembershipInline(admin.TabularInline):  # type: ignore[type-arg]
    model = Membership
    fields = readonly_fields = ("user", "role", "created_at")
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Membership]:
        return super().get_queryset(request).select_related("user", "team")


@admin.register(Team)
class TeamAdmin(LookOnlyAdmin):
    list_display = ["name", "slug", "created_at"]
    search_fields = ["name", "slug"]
    inlines = [MembershipInline]

    def view_on_site(self, obj: Team) -> str:
        return reverse("accounts:team-detail", args=[obj.slug])


@admin.register(ApiToken)
class ApiTokenAdmin(LookOnlyAdmin):
    list_display = ["name", "user", "scopes", "created", "expiry", "last_used_at"]
    list_select_related = ["user"]
    search_fields = ["name", "user__email"]
    fields = ["name", "user", "scopes", "created", "expiry", "last_used_at", "issued_by"]


@admin.register(FailedLogin)
class FailedLoginAdmin(LookOnlyAdmin):
    list_display = ["key", "count", "window_ends_at"]
    ordering = ["-window_ends_at"]
