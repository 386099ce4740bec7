"""Reads about health checks and what they measured."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from deployments.models import Check, Deployment, Measurement
from deployments.policies import visible_checks
from deployments.statuses import Verdict
from releasemgr.core.actors import Actor
from releasemgr.core.errors import NotFound

# The phase of a measurement that an alert made, instead of a check.
ALERT = "alert"
MOST_ALERTS = 10


def check_list(actor: Actor) -> QuerySet[Check]:
    return visible_checks(actor).select_related("application", "environment")


def get_check(actor: Actor, check_id: UUID) -> Check:
    found = check_list(actor).filter(pk=check_id).first()
    if found is None:
        raise NotFound("There is no such check, or you may not see it.")
    return found


def measurements_of(deployment: Deployment) -> QuerySet[Measurement]:
    """Newest first."""
    return Measurement.objects.filter(deployment=deployment.pk).order_by("-id")


def firing_alerts(deployment: Deployment) -> list[dict[str, Any]]:
    """Evidence of the alerts that reached this deployment while it was watched, oldest first."""
    rows = Measurement.objects.filter(deployment=deployment.pk, phase=ALERT, verdict=Verdict.FAIL).order_by("id")
    return [
        {"name": each.name, "sentence": each.sentence, "at": each.created_at.isoformat()} for each in rows[:MOST_ALERTS]
    ]
