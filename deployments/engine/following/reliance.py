"""How long a rollout may sleep because an observer provably follows it. Without one, ticks poll."""

from datetime import datetime, timedelta

from django.db.models import Count, Q
from django.db.models.functions import Now

from deployments.engine.recovery import observed, patience
from deployments.models import Deployment, Step, Workload
from deployments.statuses import StepName, WorkloadPhase
from deployments.targets.base import POLL_SECONDS

# A heartbeat comes every three seconds.
FRESH = timedelta(seconds=10)
RELIANT_PAUSE = timedelta(seconds=30)
ON_THE_WAY = frozenset({WorkloadPhase.WAITING, WorkloadPhase.MOVING})


def relying(deployment: Deployment, step: Step, pause: timedelta, now: datetime) -> timedelta:
    """`pause`, or a longer one while the cluster's observer will tell of whatever may end the waiting.

    Only for a step that waits for nothing but the cluster, whose workloads have all been seen since it was applied,
    and none of which is in a state that the step should already have found. Never past the step's own end.
    """
    if step.name != StepName.ROLLOUT or pause != timedelta(seconds=POLL_SECONDS):
        return pause
    is_told = Q(cluster__followed_at__gt=Now() - FRESH, seen_at__isnull=False, phase__in=ON_THE_WAY)
    found = Workload.objects.filter(deployment=deployment.pk).aggregate(
        all=Count("pk"), told=Count("pk", filter=is_told)
    )
    if not found["all"] or found["told"] < found["all"]:
        return pause
    return max(pause, min(RELIANT_PAUSE, patience(deployment, step) - observed(step, now)))
