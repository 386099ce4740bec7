"""Taking a release back: a deployment that brings an earlier one."""

from django.db import transaction
from django.db.models.functions import Now

from audit.services import record
from deployments.models import Deployment
from deployments.selectors import last_good
from deployments.services.access import require_deploy
from deployments.services.control import ask_to_cancel
from deployments.services.planning import insert
from deployments.statuses import OPEN, DeploymentKind, DeploymentStatus
from deployments.transitions import facts, write_log
from releasemgr.core.actors import SYSTEM, Actor
from releasemgr.core.errors import Invalid, WrongState
from releases.models import Release


@transaction.atomic
def rollback_deployment(*, actor: Actor, deployment: Deployment, reason: str, to: Release | None = None) -> Deployment:
    """Bring back release `to`, or the last good one before. A deployment still in progress is cancelled first."""
    require_deploy(actor, deployment.target)
    if not reason.strip():
        raise Invalid("Say why you roll back: it stays on record.", details={"reason": ["A reason is needed."]})
    deployment = Deployment.objects.select_for_update(of=("self",)).select_related(
        "target__application", "target__environment", "release__application", "environment", "application",
    ).defer("target__database_url").get(pk=deployment.pk)  # fmt: skip
    if deployment.status == DeploymentStatus.PENDING:
        raise WrongState("It has not started: cancel it instead.", details={"status": deployment.status})
    if deployment.rollbacks.filter(status__in=OPEN).exists():
        raise WrongState(
            f"{deployment.release} is already being rolled back. Wait for that rollback, or cancel it.",
            details={"status": deployment.status},
        )
    _refuse_if_replaced(deployment)
    source = _source(deployment, to)
    if deployment.status == DeploymentStatus.IN_PROGRESS:
        ask_to_cancel(actor, deployment)
    return request_rollback(deployment, source, actor=actor, reason=reason, automatic=False)


def _refuse_if_replaced(deployment: Deployment) -> None:
    """What runs now is somebody else's: rolling this one back would say that it was taken back, and be wrong."""
    running = (DeploymentStatus.IN_PROGRESS, DeploymentStatus.SUCCEEDED)
    later = Deployment.objects.filter(target=deployment.target_id, sequence__gt=deployment.sequence, status__in=running)
    newest = later.select_related("release__application").order_by("-sequence").first()
    if newest is not None:
        raise WrongState(
            f"{newest.release} has replaced it in {deployment.environment}: roll that deployment back.",
            details={"status": deployment.status, "current": str(newest.pk)},
        )


def _source(deployment: Deployment, to: Release | None) -> Deployment:
    if to is None:
        source = last_good(deployment.target, before=deployment)
        if source is None:
            raise WrongState(
                f"There is no earlier release of {deployment.application} in {deployment.environment} to go back to.",
                details={"status": deployment.status},
            )
        return source
    found = Deployment.objects.ran_well().filter(target=deployment.target_id, release=to)
    source = found.select_related("release__application").order_by("-sequence").first()
    if source is None or to.pk == deployment.release_id:
        raise Invalid(
            f"{to} never ran well in {deployment.environment} before: choose a release that did.",
            details={"to": ["Not an earlier release that succeeded here."]},
        )
    return source


def request_rollback(
    deployment: Deployment, source: Deployment, *, actor: Actor, reason: str, automatic: bool
) -> Deployment:
    """The rollback row: the very objects of `source` come back, not the release's text rendered anew."""
    rollback = insert(
        Deployment(
            target=deployment.target,
            application=deployment.application,
            environment=deployment.environment,
            release=source.release,
            release_digest=source.release_digest,
            kind=DeploymentKind.ROLLBACK,
            automatic=automatic,
            deployed_by=actor.user,
            reason=reason,
            rolls_back=deployment,
            manifests=source.manifests,
            overrides=source.overrides,
            strategy=source.strategy,
            wake_at=Now(),
        )
    )
    record(
        "deployment.rollback_requested",
        actor=actor,
        subject=rollback,
        data=facts(rollback) | {"reason": reason, "rolls_back": str(deployment.pk), "automatic": automatic},
    )
    return rollback


def roll_back_automatically(deployment: Deployment, *, why: str) -> Deployment | None:
    """The engine's answer to a failure. None when nothing good ran before. Never for a rollback (the caller asks)."""
    source = last_good(deployment.target, before=deployment)
    if source is None:
        record("deployment.rollback_not_possible", actor=SYSTEM, subject=deployment, data=facts(deployment))
        return None
    return request_rollback(deployment, source, actor=SYSTEM, reason=why, automatic=True)


def bring_back_last_good(deployment: Deployment, *, why: str) -> None:
    """`roll_back_automatically`, unless a person was faster; the deployment's log says what came of it."""
    if deployment.rollbacks.filter(status=DeploymentStatus.PENDING).exists():
        return
    rollback = roll_back_automatically(deployment, why=why)
    if rollback is None:
        write_log(deployment, "Nothing ran well here before, so there is no release to go back to.", level="warning")
    else:
        write_log(deployment, f"Brings back {rollback.release.version}.", level="warning")
