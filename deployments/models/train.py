"""Many releases sent out together."""

from django.conf import settings
from django.db import models

from deployments.models.places import Environment
from releasemgr.core.models import Identified


class Train(Identified):
    """Releases of several applications, sent to one environment with one click; its state is theirs."""

    environment = models.ForeignKey(Environment, on_delete=models.PROTECT, related_name="trains")
    reason = models.TextField(blank=True, max_length=2000)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering = ["-created_at", "-id"]

    def __str__(self) -> str:
        return f"Train to {self.environment}"
