"""Waking deployments: the row says that there is something to do, the queue only carries the news."""

from collections.abc import Collection
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q
from django.db.models.functions import Now

from deployments.models import Deployment, Target
from deployments.services.planning import TICK
from deployments.statuses import OPEN, DeploymentStatus
from releasemgr.core.queue import enqueue_all, waiting_tasks

# Workers empty such a queue within seconds, and what is due is found again by the next sweep.
LONG_QUEUE = 200
WAKE_UNHELD = """
    UPDATE deployments_deployment AS deployment SET wake_at = statement_timestamp()
    FROM (
        SELECT id FROM deployments_deployment WHERE id = ANY(%s) AND status = ANY(%s)
        ORDER BY created_at, id FOR UPDATE SKIP LOCKED
    ) AS unheld WHERE deployment.id = unheld.id
    RETURNING deployment.id, coalesce(claimed_until >= statement_timestamp(), false)"""


@transaction.atomic
def wake(*deployment_ids: UUID) -> None:
    """Make open deployments due now. A worker that holds one looks again before it lets go (see `engine.claims`)."""
    rows = Deployment.objects.open().filter(pk__in=deployment_ids)
    # Oldest first, as everybody does who locks several: otherwise two that wake the same ones block each other.
    locked = list(rows.order_by("created_at", "id").select_for_update(of=("self",)).values_list("pk", flat=True))
    due = Deployment.objects.filter(pk__in=locked)
    due.update(wake_at=Now())
    enqueue_all(TICK, due.unclaimed().order_by("created_at").values_list("pk", flat=True))


@transaction.atomic
def wake_unheld(deployment_ids: Collection[UUID]) -> set[UUID]:
    """As `wake`, without waiting for anybody: returns those whose row is locked just now, to be tried again.

    While the queue is long they only become due: the sweeps bring them to the workers as these keep up.
    """
    with connection.cursor() as cursor:
        cursor.execute(WAKE_UNHELD, [list(deployment_ids), [status.value for status in OPEN]])
        woken = cursor.fetchall()
    unclaimed = [deployment_id for deployment_id, is_claimed in woken if not is_claimed]
    if unclaimed and waiting_tasks() < LONG_QUEUE:
        enqueue_all(TICK, unclaimed)
    left = set(deployment_ids) - {deployment_id for deployment_id, _ in woken}
    return set(Deployment.objects.open().filter(pk__in=left).values_list("pk", flat=True)) if left else set()


def wake_waiting(target: Target) -> None:
    """Something moved in the target: the application's waiting deployments ask their gates again.

    Not only those of this target: an environment further on may require what has just succeeded here.
    """
    waiting = Deployment.objects.filter(application=target.application_id, status=DeploymentStatus.PENDING)
    wake(*waiting.values_list("pk", flat=True))


def wake_under_way(cluster_id: UUID) -> None:
    """The cluster answers again, or to other credentials: what waits for it need not wait for its timer."""
    rows = Deployment.objects.filter(target__cluster=cluster_id, status=DeploymentStatus.IN_PROGRESS)
    wake(*rows.values_list("pk", flat=True))


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
    enqueue_all(TICK, ids)
    return len(ids)
