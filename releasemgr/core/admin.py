"""What every admin of ours that is only to look at shares; and the task queue, which is one of them.

A schedule names a Python function and its arguments: whoever could write one could run anything as the server.
"""

from django.apps import apps
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest


class LookOnly:
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class LookOnlyAdmin(LookOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    """Nothing can be typed or deleted; actions may go through the services."""

    show_full_result_count = False
    list_per_page = 50

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


for name in ("Schedule", "OrmQ"):
    model = apps.get_model("django_q", name)
    if admin.site.is_registered(model):
        theirs = type(admin.site.get_model_admin(model))
        admin.site.unregister(model)
        admin.site.register(model, type(theirs.__name__, (LookOnly, theirs), {}))
