"""The spine: one append-only row for each thing that happened.

The database itself refuses UPDATE, DELETE and TRUNCATE, and draws `sequence`, `created_at` and `hash`
(migration 0002), so nothing in Python can forge or forget them.
"""

import uuid

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models.functions import Now


class Event(models.Model):
    """`changes` maps a field to [before, after]; `data` holds other plain facts (ids, reasons)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    sequence = models.BigIntegerField(unique=True, editable=False, db_default=0)
    action = models.CharField(max_length=100)
    resource_type = models.CharField(max_length=50)
    resource_id = models.CharField(max_length=64)
    resource_label = models.CharField(max_length=300, blank=True)
    # No database constraint: an audit row outlives everything that it names.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+"
    )
    actor = models.CharField(max_length=200)
    application_id = models.UUIDField(null=True)
    changes = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    data = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    request_id = models.CharField(max_length=64, blank=True)
    ip = models.GenericIPAddressField(null=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    hash = models.CharField(max_length=64, editable=False, db_default="")

    class Meta:
        ordering = ["-sequence"]
        indexes = [
            models.Index(fields=["application_id", "-sequence"], name="event_application"),
            models.Index(fields=["user", "-sequence"], name="event_user"),
            models.Index(fields=["resource_type", "resource_id", "-sequence"], name="event_resource"),
            models.Index(fields=["action", "-sequence"], name="event_action"),
            models.Index(fields=["created_at"], name="event_created"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.resource_label}"
