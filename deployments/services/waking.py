"""Waking deployments: the row says that there is something to do, the queue only carries the news."""

from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from deployments.models import Deployment, Target
from deployments.services.planning import TICK
from deployments.statuses import DeploymentStatus
from releasemgr.core.queue import enqueue, waiting_tasks

# Workers empty such a queue within seconds, and what is due is found again by the next sweep.
LONG_QUEUE = 200


@transaction.atomic
def wake(*deployment_ids: UUID) -> None:
    """Make open deployments due now. A worker that holds one looks again before it lets go (see `engine.claims`)."""
    rows = Deployment.objects.open().filter(pk__in=deployment_ids)
    # Oldest first, as everybody does who locks several: otherwise two that wake the same ones block each other.
    locked = rows.order_by("created_at", "id").select_for_update(of=("self",)).values_list("pk", flat=True)
    for deployment_id in _make_due(list(locked)):
        enqueue(TICK, deployment_id)


@transaction.atomic
def wake_unheld(*deployment_ids: UUID) -> set[UUID]:
    """As `wake`, without waiting for anybody: returns those whose row is locked just now, to be tried again.

    While the queue is long they only become due: the sweeps bring them to the workers as these keep up.
    """
    open_ones = Deployment.objects.open().filter(pk__in=deployment_ids)
    rows = open_ones.order_by("created_at", "id").select_for_update(of=("self",), skip_locked=True)
    locked = list(rows.values_list("pk", flat=True))
    unclaimed = _make_due(locked)
    if unclaimed and waiting_tasks() < LONG_QUEUE:
        for deployment_id in unclaimed:
            enqueue(TICK, deployment_id)
    if len(locked) == len(deployment_ids):
        return set()
    return set(open_ones.exclude(pk__in=locked).values_list("pk", flat=True))


def _make_due(locked: list[UUID]) -> list[UUID]:
    """Those of them that no worker holds, the oldest first."""
    due = Deployment.objects.filter(pk__in=locked)
    due.update(wake_at=Now())
    return list(due.unclaimed().order_by("created_at").values_list("pk", flat=True))


def wake_waiting(target: Target) -> None:
    """Something moved in the target: the application's waiting deployments ask their gates again.

    Not only those of this target: an environment further on may require what has just succeeded here.
    """
    waiting = Deployment.objects.filter(application=target.application_id, status=DeploymentStatus.PENDING)
    wake(*waiting.values_list("pk", flat=True))


def wake_those_behind(deployment: Deployment) -> None:
    """It stepped out of its target's queue. Only later ones are woken (and locked): see `wake`."""
    later = Q(created_at__gt=deployment.created_at) | Q(created_at=deployment.created_at, pk__gt=deployment.pk)
    behind = Deployment.objects.filter(later, target=deployment.target_id, status=DeploymentStatus.PENDING)
    wake(*behind.values_list("pk", flat=True))


def wake_due() -> int:
    """Enqueue what is due and unclaimed: timers that ran out, work whose worker died, tasks that were lost.

    Not while the queue is long: without workers each sweep would add the same ones once more.
    """
    ids = list(Deployment.objects.due().unclaimed().order_by("wake_at").values_list("pk", flat=True)[:500])
    if not ids or waiting_tasks() >= LONG_QUEUE:
        return 0
    for deployment_id in ids:
        enqueue(TICK, deployment_id)
    return len(ids)
