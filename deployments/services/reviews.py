"""Deciding about a deployment that an environment's rules make wait."""

from django.db import IntegrityError, transaction

from audit.services import record
from deployments.models import Deployment, DeploymentApproval
from deployments.services.access import require_review
from deployments.services.control import ask_to_cancel
from deployments.services.waking import wake
from deployments.services.waves import require_lead
from deployments.statuses import DeploymentStatus
from deployments.transitions import announce, facts
from releasemgr.core.actors import Actor
from releasemgr.core.errors import Invalid, WrongState
from releases.models import Decision


@transaction.atomic
def approve_deployment(*, actor: Actor, deployment: Deployment, comment: str = "", digest: str = "") -> Deployment:
    _decide(actor, deployment, decision=Decision.APPROVED, comment=comment, digest=digest)
    record("deployment.approval_given", actor=actor, subject=deployment, data=facts(deployment) | {"comment": comment})
    wake(deployment.pk)
    announce(deployment)
    return deployment


@transaction.atomic
def reject_deployment(*, actor: Actor, deployment: Deployment, comment: str, digest: str = "") -> Deployment:
    """A rejection is final: the deployment is cancelled with the reason."""
    require_review(actor, deployment)
    if not comment.strip():
        raise Invalid("Say why: it stays on record.", details={"comment": ["A reason is needed."]})
    _decide(actor, deployment, decision=Decision.REJECTED, comment=comment, digest=digest)
    record("deployment.rejected", actor=actor, subject=deployment, data=facts(deployment) | {"comment": comment})
    Deployment.objects.filter(pk=deployment.pk).update(error_message=f"Rejected by {actor.label}: {comment}")
    ask_to_cancel(actor, deployment)
    return deployment


def _decide(actor: Actor, deployment: Deployment, *, decision: Decision, comment: str, digest: str) -> None:
    require_review(actor, deployment)
    require_lead(deployment)
    locked = Deployment.objects.select_for_update(of=("self",)).get(pk=deployment.pk)
    if locked.status != DeploymentStatus.PENDING:
        raise WrongState("It is no longer waiting for a decision.", details={"status": locked.status})
    if digest and digest != locked.release_digest:
        raise WrongState(
            "This is not the content that the deployment carries. Reload and read it again.",
            details={"status": locked.status, "digest": locked.release_digest},
        )
    try:
        with transaction.atomic():
            DeploymentApproval.objects.create(
                deployment=deployment,
                user=actor.user,
                decision=decision,
                comment=comment,
                digest=locked.release_digest,
            )
    except IntegrityError:
        raise WrongState("You have already decided about this deployment.", details={"status": locked.status}) from None
