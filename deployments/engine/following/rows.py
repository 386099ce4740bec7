"""The `Workload` rows: written by the engine when it has applied, then by whoever follows the cluster.

They are the truth about what is followed: an observer that starts, or that missed a notification, reads them anew.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models.functions import Now

from deployments.engine.following.phases import Followed
from deployments.engine.following.picture import Findings
from deployments.models import Cluster, Deployment, Workload
from deployments.statuses import DeploymentStatus, WorkloadPhase
from deployments.targets.kubernetes.objects import is_rolled

# Notifications say "<cluster> <deployment>": it has new rows.
CHANNEL = "workloads"
# By primary key and in its order, so that two observers that overlap for a moment never lock each other out.
WRITE = """
    UPDATE deployments_workload AS workload
    SET phase = new.phase, wanted = new.wanted, updated = new.updated, ready = new.ready, seen_at = clock_timestamp()
    FROM (
        SELECT * FROM unnest(%s::bigint[], %s::text[], %s::int[], %s::int[], %s::int[])
        AS found (id, phase, wanted, updated, ready) ORDER BY id
    ) AS new WHERE workload.id = new.id"""


def begin_to_follow(deployment: Deployment, objects: Iterable[Mapping[str, Any]]) -> None:
    """Have these workloads of the deployment followed. In the caller's transaction; a second time changes nothing."""
    target = deployment.target
    rows = [
        Workload(
            deployment=deployment,
            cluster_id=target.cluster_id,
            namespace=str(item["metadata"].get("namespace") or target.namespace),
            kind=item["kind"],
            name=item["metadata"]["name"],
        )
        for item in objects
        if is_rolled(item)
    ]
    if rows:
        Workload.objects.bulk_create(rows, ignore_conflicts=True)
        _notify(f"{target.cluster_id} {deployment.pk}")


def read_rows(cluster_id: UUID, *, deployments: Collection[UUID] | None = None) -> list[Followed]:
    """What is to be followed in the cluster (for these deployments)."""
    rows = Workload.objects.filter(cluster=cluster_id, deployment__status=DeploymentStatus.IN_PROGRESS)
    if deployments is not None:
        rows = rows.filter(deployment__in=deployments)
    fields = ("pk", "deployment_id", "namespace", "kind", "name", "phase", "wanted", "updated", "ready")
    return [
        Followed(pk, deployment, (namespace, kind, name), WorkloadPhase(phase), wanted, updated, ready)
        for pk, deployment, namespace, kind, name, phase, wanted, updated, ready in rows.order_by().values_list(*fields)
    ]


def drop_ended(cluster_id: UUID) -> list[int]:
    """Rows of deployments that are over are of no use; which ones there were."""
    ended = Workload.objects.filter(cluster=cluster_id).exclude(deployment__status=DeploymentStatus.IN_PROGRESS)
    ids = list(ended.order_by().values_list("pk", flat=True))
    if ids:
        Workload.objects.filter(pk__in=ids).delete()
    return ids


def write_findings(findings: Findings) -> None:
    if not findings:
        return
    columns: list[list[Any]] = [
        [followed.row for followed, _ in findings],
        [finding.phase.value for _, finding in findings],
        *([getattr(finding, name) for _, finding in findings] for name in ("wanted", "updated", "ready")),
    ]
    with connection.cursor() as cursor:
        cursor.execute(WRITE, columns)


def note_following(cluster_id: UUID, *, problem: str | None) -> None:
    """What keeps us from following the cluster, as a sentence; empty: nothing does. None: still beginning."""
    rows = Cluster.objects.filter(pk=cluster_id)
    if problem is None:
        rows.update(followed_at=None)
    elif problem:
        rows.update(problem=problem, followed_at=None)
    else:
        rows.update(problem="", followed_at=Now(), checked_at=Now())


def _notify(payload: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, payload])
