"""Bases that every app's models share."""

import uuid

from django.db import models

from releasemgr.core.encryption import EncryptedField


class Identified(models.Model):
    """A UUID made here, not by the database, so that a row can be named before it is written."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    created_at = models.DateTimeField(auto_now_add=True, editable=False)

    class Meta:
        abstract = True


class IdempotencyKey(models.Model):
    """The answer to a POST, kept to be given again; `id` and `fingerprint` are digests (see `core.idempotency`)."""

    id = models.CharField(primary_key=True, max_length=64)
    fingerprint = models.CharField(max_length=64)
    answer = EncryptedField()
    created_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.id
