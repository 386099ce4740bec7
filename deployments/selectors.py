"""Reads about deployments that join or shape."""

from collections.abc import Iterable
from uuid import UUID

from django.db.models import QuerySet

from deployments.models import Cluster, Deployment, Environment, Target
from deployments.policies import visible_clusters, visible_deployments, visible_environments, visible_targets
from deployments.statuses import DeploymentStatus
from releasemgr.core.actors import Actor
from releasemgr.core.errors import Invalid, NotFound
from releases.models import Application, Release
from releases.selectors import by_name


def deployment_list(actor: Actor) -> QuerySet[Deployment]:
    return visible_deployments(actor).select_related(
        "release__application", "application", "environment", "deployed_by"
    )


def get_deployment(actor: Actor, deployment_id: UUID) -> Deployment:
    found = (
        deployment_list(actor)
        .select_related("target__cluster", "application__team", "rolls_back__release__application")
        .filter(pk=deployment_id)
        .first()
    )
    if found is None:
        raise NotFound("There is no such deployment, or you may not see it.")
    return found


def get_environment(actor: Actor, reference: str) -> Environment:
    """By id or name."""
    found = visible_environments(actor).filter(by_name("name", reference)).first()
    if found is None:
        raise NotFound(f"There is no environment “{str(reference)[:80]}”.")
    return found


def get_cluster(actor: Actor, reference: str) -> Cluster:
    found = visible_clusters(actor).filter(by_name("name", reference)).first()
    if found is None:
        raise NotFound(f"There is no cluster “{str(reference)[:80]}”, or you may not see it.")
    return found


def get_target(actor: Actor, target_id: UUID) -> Target:
    found = visible_targets(actor).select_related("application__team", "environment", "cluster").filter(pk=target_id)
    target = found.first()
    if target is None:
        raise NotFound("There is no such target, or you may not see it.")
    return target


def target_of(application: Application, environment: Environment) -> Target:
    """Where the application runs in the environment. Raises Invalid when nobody has set that up."""
    target = (
        Target.objects.select_related("application__team", "environment", "cluster")
        .filter(application=application, environment=environment)
        .first()
    )
    if target is None:
        raise Invalid(
            f"{application} has no target in {environment}: an administrator must say which cluster and namespace.",
            details={"environment": [f"No target in {environment}."]},
        )
    return target


def last_good(target: Target, *, before: Deployment | None = None, release: Release | None = None) -> Deployment | None:
    """The latest deployment that brought a release up here for good: of another release than `before`'s, if given."""
    good = Deployment.objects.filter(target=target, status=DeploymentStatus.SUCCEEDED).select_related("release")
    if before is not None:
        good = good.exclude(pk=before.pk).exclude(release_id=before.release_id)
        if before.sequence is not None:
            good = good.filter(sequence__lt=before.sequence)
    if release is not None:
        good = good.filter(release=release)
    return good.order_by("-sequence").first()


def rollback_choices(deployment: Deployment, limit: int = 20) -> list[Deployment]:
    """Earlier deployments to which one may go back, newest first, each release once."""
    good = (
        Deployment.objects.filter(target=deployment.target_id, status__in=BROUGHT_UP)
        .exclude(release_id=deployment.release_id)
        .select_related("release__application")
        .order_by("-sequence")[: limit * 3]
    )
    return list({each.release_id: each for each in reversed(good)}.values())[::-1][:limit]


# A deployment that succeeded and was taken back later did once run well.
BROUGHT_UP = (DeploymentStatus.SUCCEEDED, DeploymentStatus.ROLLED_BACK)


def running_now(targets: Iterable[Target]) -> dict[UUID, Deployment]:
    """Target id → the deployment whose release runs there, as far as we brought it."""
    rows = (
        Deployment.objects.filter(target__in=list(targets), status=DeploymentStatus.SUCCEEDED)
        .order_by("target_id", "-sequence")
        .distinct("target_id")
        .select_related("release__application")
    )
    return {row.target_id: row for row in rows}
