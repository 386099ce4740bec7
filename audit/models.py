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


class Seal(models.Model):
    """Closes a set of events: `root` is the Merkle root of their hashes, `hash` covers this row and the seal before.

    Seals are numbered 1, 2, 3 … without gaps. `gaps` are the sequences, as [[first, last], …], that were drawn but not
    committed when this seal looked; a later seal takes them in. `settled` is the newest seal whose gaps will never be
    filled any more. `transaction_id` was drawn after looking, so those still writing then have lower ones.
    """

    number = models.BigIntegerField(primary_key=True)
    root = models.CharField(max_length=64)
    previous_hash = models.CharField(max_length=64, blank=True)
    hash = models.CharField(max_length=64, unique=True)
    gaps = models.JSONField(default=list)
    settled = models.BigIntegerField(default=0)
    transaction_id = models.BigIntegerField()
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-number"]

    def __str__(self) -> str:
        return f"Seal {self.number}"


class SealedRange(models.Model):
    """Neighbouring events of one seal. `leaves` keeps their hashes, 32 bytes each, so that a check names the event."""

    first_sequence = models.BigIntegerField(primary_key=True)
    last_sequence = models.BigIntegerField()
    seal = models.ForeignKey(Seal, on_delete=models.PROTECT, related_name="ranges")
    leaves = models.BinaryField()

    class Meta:
        ordering = ["first_sequence"]

    def __str__(self) -> str:
        return f"{self.first_sequence}-{self.last_sequence}"
