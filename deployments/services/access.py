"""The rights that services ask for first, with the sentence for those who lack them."""

from accounts.policies import require
from deployments import policies
from deployments.models import Deployment, Target
from releasemgr.core.actors import Actor
from releases.services import require_set_up

__all__ = ["require_deploy", "require_review", "require_set_up"]


def require_deploy(actor: Actor, target: Target) -> None:
    why_not = policies.why_not_deploy(actor, target)
    require(not why_not, permission="deployments.deploy_environment", why=why_not)


def require_review(actor: Actor, deployment: Deployment) -> None:
    require(
        actor.user_id != deployment.deployed_by_id,
        permission="releases.approve_application",
        why="You asked for this deployment, so somebody else must decide about it (four eyes).",
    )
    require(
        policies.can_review(actor, deployment),
        permission="releases.approve_application",
        why=f"You may not approve or reject deployments of {deployment.application}.",
    )
