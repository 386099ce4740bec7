"""Waking deployments: the row says that there is something to do, the queue only carries the news."""

from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from deployments.models import Deployment, Target
from deployments.services.planning import TICK
from deployments.statuses import DeploymentStatus
from releasemgr.core.queue import enqueue


@transaction.atomic
def wake(*deployment_ids: UUID) -> None:
    """Make open deployments due now. A worker that holds one looks again before it lets go (see `engine.claims`)."""
    unclaimed = Q(claimed_until__isnull=True) | Q(claimed_until__lt=Now())
    rows = Deployment.objects.open().filter(pk__in=deployment_ids)
    rows.update(wake_at=Now())
    for deployment_id in rows.filter(unclaimed).values_list("pk", flat=True):
        enqueue(TICK, deployment_id)


def wake_waiting(target: Target) -> None:
    """The target is free: whoever waits for it asks its gates again."""
    waiting = Deployment.objects.filter(target=target, status=DeploymentStatus.PENDING)
    wake(*waiting.values_list("pk", flat=True))


def wake_due() -> int:
    """Enqueue what is due and unclaimed: timers that ran out, work whose worker died, tasks that were lost."""
    due = Deployment.objects.open().filter(
        Q(claimed_until__isnull=True) | Q(claimed_until__lt=Now()), wake_at__lte=Now()
    )
    ids = list(due.order_by("wake_at").values_list("pk", flat=True)[:500])
    for deployment_id in ids:
        enqueue(TICK, deployment_id)
    return len(ids)
