"""Bases that every app's models share."""

import uuid

from django.db import models


class Identified(models.Model):
    """A UUID made here, not by the database, so that a row can be named before it is written."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    created_at = models.DateTimeField(auto_now_add=True, editable=False)

    class Meta:
        abstract = True
