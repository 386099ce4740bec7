"""The audit log in the admin: to look at, never to touch."""

from typing import Any, cast

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest

from audit import labels
from audit.models import Event, Seal
from audit.policies import visible_events
from releasemgr.core.admin import LookOnlyAdmin
from releasemgr.core.requests import actor_of

# How far one may page back; the filters and the audit page lead further.
REACH = 5_000


class ReachPaginator(Paginator):  # type: ignore[type-arg]
    """Counts no further than REACH: counting a long log takes longer than reading a page of it."""

    @property
    def count(self) -> int:
        rows = cast("QuerySet[Any]", self.object_list)
        return len(rows.values_list("pk")[:REACH])


class ActionFilter(admin.SimpleListFilter):
    title = "action"
    parameter_name = "action"

    def lookups(self, request: HttpRequest, model_admin: "admin.ModelAdmin[Any]") -> list[tuple[str, str]]:
        return [(action, sentence.capitalize()) for action, sentence in labels.sentences().items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Event]) -> QuerySet[Event]:
        return queryset.filter(action=self.value()) if self.value() else queryset


class LogAdmin(LookOnlyAdmin):
    paginator = ReachPaginator
    actions = None


@admin.register(Event)
class EventAdmin(LogAdmin):
    list_display = ["sequence", "created_at", "actor", "action", "resource_type", "resource_label", "ip"]
    list_filter = [ActionFilter, ("created_at", admin.DateFieldListFilter)]
    search_fields = ["=resource_id", "=request_id", "=user__email"]
    sortable_by = ["sequence"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Event]:
        return visible_events(actor_of(request)).order_by("-sequence")


@admin.register(Seal)
class SealAdmin(LogAdmin):
    list_display = ["number", "created_at", "root", "hash"]
    sortable_by = ["number"]
