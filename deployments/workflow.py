"""What the actor may do with a deployment next: what the buttons of its page show."""

from deployments import policies
from deployments.models import Deployment, DeploymentApproval
from deployments.selectors import BROUGHT_UP
from deployments.services.stages import awaits_promotion, pacing_step
from deployments.statuses import RETRYABLE, DeploymentStatus
from releasemgr.core.actors import Actor
from releasemgr.core.choices import Choice


def choices(actor: Actor, deployment: Deployment, *, newer: Deployment | None, is_reviewed: bool) -> dict[str, Choice]:
    """The buttons that fit the deployment's status, by name.

    `newer` is the deployment that started after it in the same target, `is_reviewed` whether somebody's approval is
    what it waits for.
    """
    found: dict[str, Choice] = {}
    why_not = "" if policies.can_deploy(actor, deployment.target) else _may_not_deploy(deployment)
    found |= _pacing(deployment, why_not)
    if deployment.part_of_id is not None:
        # Its pace is its own; all else is decided where it was asked for.
        return found
    # Aborting is the same, said more clearly: two buttons for it would only ask for the difference.
    if deployment.is_open and "abort" not in found:
        asked = deployment.cancel_requested_at is not None
        found["cancel"] = Choice(why_not or ("It is being cancelled." if asked else ""))
    if newer is None and deployment.sequence is not None:
        found["rollback"] = Choice(why_not)
    ran_well = deployment.status in BROUGHT_UP and not deployment.error_message
    if newer is not None and newer.release_id != deployment.release_id and ran_well:
        found["bring_back"] = Choice(why_not)
    if deployment.status in RETRYABLE and not deployment.is_rollback:
        found["retry"] = Choice(why_not)
    if is_reviewed and deployment.status == DeploymentStatus.PENDING and deployment.cancel_requested_at is None:
        found["approve"] = found["reject"] = Choice(why_not_review(actor, deployment))
    return found


def _pacing(deployment: Deployment, why_not: str) -> dict[str, Choice]:
    """For a progressive deployment up to its last pause; then it can only be cancelled or rolled back."""
    step = pacing_step(deployment)
    if step is None or deployment.cancel_requested_at is not None:
        return {}
    found = {"resume" if deployment.paused_at else "pause": Choice(why_not)}
    if deployment.paused_at is None and awaits_promotion(deployment, step):
        found["promote"] = Choice(why_not)
    return found if deployment.part_of_id else found | {"abort": Choice(why_not)}


def _may_not_deploy(deployment: Deployment) -> str:
    return f"You may not deploy {deployment.application} to {deployment.environment}."


def why_not_review(actor: Actor, deployment: Deployment) -> str:
    if actor.user_id is not None and actor.user_id == deployment.deployed_by_id:
        return "You asked for this deployment, so somebody else decides about it (four eyes)."
    if not policies.can_review(actor, deployment):
        return f"You may not approve or reject deployments of {deployment.application}."
    if DeploymentApproval.objects.filter(deployment=deployment, user=actor.user_id).exists():
        return "You have already decided about this deployment."
    return ""
