"""Who may see and change deployments and the places they go to."""

from django.db.models import Exists, OuterRef, QuerySet

from deployments.models import Check, Cluster, Deployment, Environment, Target, Train
from releasemgr.core.actors import Actor
from releases.policies import can_judge

TEAM_PERMISSIONS_ON_ENVIRONMENT = ("view_environment", "deploy_environment")


def visible_deployments(actor: Actor) -> QuerySet[Deployment]:
    if not actor.is_authenticated or not actor.has_scope("deployments:read"):
        return Deployment.objects.none()
    if actor.is_admin:
        return Deployment.objects.all()
    return Deployment.objects.filter(application_id__in=actor.granted("view_application"))


def visible_trains(actor: Actor) -> QuerySet[Train]:
    """Those that carry something which the actor sees."""
    return Train.objects.filter(Exists(visible_deployments(actor).filter(train=OuterRef("pk"))))


def visible_environments(actor: Actor) -> QuerySet[Environment]:
    """Their names head every board: no secret to anybody who is logged in."""
    return Environment.objects.all() if actor.is_authenticated else Environment.objects.none()


def visible_targets(actor: Actor) -> QuerySet[Target]:
    if not actor.is_authenticated or not actor.has_scope("deployments:read"):
        return Target.objects.none()
    if actor.is_admin:
        return Target.objects.all()
    return Target.objects.filter(application_id__in=actor.granted("view_application"))


def visible_checks(actor: Actor) -> QuerySet[Check]:
    """Those of the applications that the actor sees."""
    if not actor.is_authenticated or not actor.has_scope("deployments:read"):
        return Check.objects.none()
    if actor.is_admin:
        return Check.objects.all()
    return Check.objects.filter(application_id__in=actor.granted("view_application"))


def visible_clusters(actor: Actor) -> QuerySet[Cluster]:
    """Administrators see all; others those to which their applications go."""
    if actor.is_admin and actor.has_scope("deployments:read"):
        return Cluster.objects.all()
    return Cluster.objects.filter(pk__in=visible_targets(actor).values("cluster_id"))


def can_deploy(actor: Actor, target: Target) -> bool:
    """Start, cancel, retry and roll back deployments of the target."""
    return (
        actor.user_id is not None
        and actor.may_change("deployments")
        and actor.holds("deploy_application", target.application_id)
        # Asked second: only who lacks the right costs a look at the environment (decision 0007).
        and (actor.holds("deploy_environment", target.environment_id) or not target.environment.protected)
    )


def why_not_deploy(actor: Actor, target: Target) -> str:
    """The sentence for who may not, empty for who may."""
    if can_deploy(actor, target):
        return ""
    sentence = f"You may not deploy {target.application} to {target.environment}."
    if actor.may_change("deployments") and actor.holds("deploy_application", target.application_id):
        team = target.application.team
        sentence += f" It is protected: an administrator gives {team} the right by saving the target."
    return sentence


def can_review(actor: Actor, deployment: Deployment) -> bool:
    """Open the approval gate: never the person who asked for the deployment."""
    return (
        actor.may_change("deployments")
        and can_judge(actor, deployment.application)
        and actor.user_id != deployment.deployed_by_id
    )
