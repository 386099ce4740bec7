"""Stopping a deployment, and trying again."""

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from audit.services import record
from deployments.models import Deployment, Target
from deployments.services.access import require_deploy
from deployments.services.deployments import start_deployment
from deployments.services.planning import TICK
from deployments.services.waves import require_lead
from deployments.statuses import RETRYABLE, DeploymentKind, DeploymentStatus
from deployments.transitions import announce, facts
from releasemgr.core.actors import SYSTEM, Actor
from releasemgr.core.errors import WrongState
from releasemgr.core.queue import enqueue


@transaction.atomic
def cancel_deployment(*, actor: Actor, deployment: Deployment) -> Deployment:
    """Ask for it to stop; the engine ends it at the next safe point. Asking twice changes nothing."""
    require_deploy(actor, deployment.target)
    require_lead(deployment)
    locked = Deployment.objects.select_for_update(of=("self",)).get(pk=deployment.pk)
    deployment.status, deployment.cancel_requested_at = locked.status, locked.cancel_requested_at
    if not deployment.is_open:
        raise WrongState(
            f"It has already ended ({deployment.get_status_display().lower()}): nothing to cancel.",
            details={"status": deployment.status},
        )
    ask_to_cancel(actor, deployment)
    return deployment


def ask_to_cancel(actor: Actor, deployment: Deployment) -> None:
    """With its parts, in the caller's transaction, which holds the deployment's row."""
    if deployment.cancel_requested_at is not None:
        return
    deployment.cancel_requested_at, deployment.cancel_requested_by = timezone.now(), actor.user
    Deployment.objects.filter(pk=deployment.pk).update(
        cancel_requested_at=deployment.cancel_requested_at, cancel_requested_by=actor.user, wake_at=Now()
    )
    record("deployment.cancel_requested", actor=actor, subject=deployment, data=facts(deployment))
    enqueue(TICK, deployment.pk)
    announce(deployment)
    for part in deployment.parts.open().select_related("environment", "release__application"):
        ask_to_cancel(actor, part)


@transaction.atomic
def stop_waiting_parts(lead: Deployment, *, why: str) -> None:
    """Those that have not started never will. What is on its way is left to end by itself."""
    for part in lead.parts.select_for_update(of=("self",)).filter(status=DeploymentStatus.PENDING):
        Deployment.objects.filter(pk=part.pk).update(error_message=why)
        ask_to_cancel(SYSTEM, part)


@transaction.atomic
def retry_deployment(*, actor: Actor, deployment: Deployment) -> Deployment:
    """A new deployment of the same release to the same place. Raises WrongState when one is already under way."""
    require_deploy(actor, deployment.target)
    require_lead(deployment)
    # Two who try again at once take turns here; the second sees what the first one made.
    list(Target.objects.select_for_update(no_key=True).filter(pk=deployment.target_id).values_list("pk"))
    deployment.refresh_from_db(fields=["status"])
    if deployment.status not in RETRYABLE or deployment.kind != DeploymentKind.DEPLOY:
        raise WrongState(
            "Only a deployment that failed, was cancelled or rolled back can be tried again.",
            details={"status": deployment.status},
        )
    if _is_tried_again(deployment):
        raise WrongState(
            f"{deployment.release} is already being deployed to {deployment.environment} again. Wait, or cancel that.",
            details={"status": deployment.status},
        )
    return start_deployment(
        actor=actor, release=deployment.release, environment=deployment.environment, reason=deployment.reason
    )


def _is_tried_again(deployment: Deployment) -> bool:
    newer = Deployment.objects.open().filter(target=deployment.target_id, release=deployment.release_id)
    return newer.filter(created_at__gt=deployment.created_at).exists()
