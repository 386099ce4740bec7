"""The watch after a deployment's success: its beginning, what ends it early, and who wakes it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from audit.services import record
from deployments.models import Bake, Deployment, Target
from deployments.services.rollbacks import bring_back_last_good
from deployments.services.waking import LONG_QUEUE
from deployments.statuses import BakeStatus, DeploymentKind, DeploymentStatus
from deployments.transitions import facts, move_bake, write_log
from releasemgr.core.actors import SYSTEM
from releasemgr.core.queue import enqueue, waiting_tasks

TICK_BAKE = "deployments.tasks.tick_bake"


def begin_bake(deployment: Deployment, *, now: datetime) -> None:
    """In the transaction of the success. Not for a rollback, nor for the parts of a deployment to several targets."""
    seconds = deployment.environment.bake_seconds
    if not seconds or deployment.is_rollback or deployment.part_of_id is not None:
        return
    bake = Bake.objects.create(deployment=deployment, until=now + timedelta(seconds=seconds), wake_at=Now())
    record("deployment.bake_started", actor=SYSTEM, subject=deployment, data=facts(deployment) | {"seconds": seconds})
    write_log(deployment, f"Bakes for {seconds} s: a failing check or alert rolls it back.")
    enqueue(TICK_BAKE, bake.pk)


def hold_target(deployment: Deployment) -> None:
    """Until the transaction ends, nothing starts in the deployment's target. Taken before any row of it."""
    list(Target.objects.select_for_update(no_key=True).filter(pk=deployment.target_id).values_list("pk"))


def must_step_back(deployment: Deployment) -> bool:
    """A bake has failed since the gates were asked: its rollback goes first. Call while the target is held."""
    if not deployment.environment.bake_seconds or deployment.is_rollback:
        # Most environments: no query on the way of every deployment.
        return False
    waiting = Deployment.objects.filter(target=deployment.target_id, status=DeploymentStatus.PENDING)
    return waiting.filter(kind=DeploymentKind.ROLLBACK).exists()


def end_bakes_before(deployment: Deployment, *, now: datetime) -> None:
    """`deployment` has just started: what ran in its target until now is no longer what is watched."""
    if not deployment.environment.bake_seconds:
        # A bake from before that was changed ends itself.
        return
    watched = Bake.objects.select_related("deployment__environment").select_for_update(of=("self",))
    rows = watched.filter(deployment__target=deployment.target_id, status=BakeStatus.WATCHING)
    for bake in rows.exclude(deployment=deployment.pk):
        end_bake(bake, by=deployment, now=now)


def fail_bake(bake: Bake, why: str, *, evidence: Mapping[str, Any], now: datetime) -> None:
    """A verdict: the evidence stays, and the last good release comes back, once. Call while the target is held."""
    deployment = Deployment.objects.select_for_update(of=("self",)).get(pk=bake.deployment_id)
    message = f"It failed while it baked. {why}"
    move_bake(bake, to=BakeStatus.FAILED, message=message, evidence=dict(evidence), completed_at=now, wake_at=None)
    write_log(bake.deployment, message, level="error")
    if deployment.status == DeploymentStatus.SUCCEEDED and bake.deployment.environment.auto_rollback:
        bring_back_last_good(bake.deployment, why=f"{bake.deployment.release.version} failed while it baked: {why}")


def end_bake(bake: Bake, *, by: Deployment, now: datetime) -> None:
    message = f"The deployment of {by.release.version} began before the time was up."
    move_bake(bake, to=BakeStatus.ENDED, message=message, completed_at=now, wake_at=None)


@transaction.atomic
def wake_bake(deployment: Deployment) -> None:
    """Make it due now. A worker that holds it looks again before it lets go (see `engine.claims`)."""
    rows = Bake.objects.filter(deployment=deployment.pk, status=BakeStatus.WATCHING)
    for bake_id in rows.values_list("pk", flat=True):
        rows.update(wake_at=Now())
        enqueue(TICK_BAKE, bake_id)


def wake_due_bakes() -> int:
    """Enqueue the bakes that are due and held by nobody: timers that ran out, and work whose worker died.

    Not while the queue is long: without workers each sweep would add the same ones once more.
    """
    ids = list(Bake.objects.due().unclaimed().order_by("wake_at").values_list("pk", flat=True)[:200])
    if not ids or waiting_tasks() >= LONG_QUEUE:
        return 0
    for bake_id in ids:
        enqueue(TICK_BAKE, bake_id)
    return len(ids)
