"""Reads about clusters, environments and targets."""

from uuid import UUID

from django.db.models import QuerySet

from deployments.models import Cluster, Environment, Target
from deployments.policies import visible_clusters, visible_environments, visible_targets
from releasemgr.core.actors import Actor
from releasemgr.core.errors import Invalid, NotFound
from releasemgr.core.lookups import by_name
from releases.models import Application

# Never loaded for a list, a page or an answer: what is not there cannot leak.
SECRETS_OF_TARGET = ("database_url", "cluster__kubeconfig")


def environment_list(actor: Actor) -> QuerySet[Environment]:
    return visible_environments(actor).select_related("requires").order_by("position", "name")


def get_environment(actor: Actor, reference: str) -> Environment:
    """By id or name."""
    found = environment_list(actor).filter(by_name("name", reference)).first()
    if found is None:
        raise NotFound(f"There is no environment “{str(reference)[:80]}”.")
    return found


def cluster_list(actor: Actor) -> QuerySet[Cluster]:
    return visible_clusters(actor).defer("kubeconfig")


def get_cluster(actor: Actor, reference: str) -> Cluster:
    """By id or name."""
    found = cluster_list(actor).filter(by_name("name", reference)).first()
    if found is None:
        raise NotFound(f"There is no cluster “{str(reference)[:80]}”, or you may not see it.")
    return found


def target_list(actor: Actor) -> QuerySet[Target]:
    """Targets in the order of their environments."""
    return (
        visible_targets(actor)
        .select_related("application__team", "environment", "cluster")
        .defer(*SECRETS_OF_TARGET)
        .order_by("environment__position", "environment__name", "application__name", "wave", "created_at", "id")
    )


def get_target(actor: Actor, target_id: UUID) -> Target:
    target = target_list(actor).filter(pk=target_id).first()
    if target is None:
        raise NotFound("There is no such target, or you may not see it.")
    return target


def targets_of(application: Application, environment: Environment) -> QuerySet[Target]:
    """Every place where the application runs in the environment, in the order in which they are served."""
    return (
        Target.objects.select_related("application__team", "environment", "cluster")
        .defer(*SECRETS_OF_TARGET)
        .filter(application=application, environment=environment)
        .order_by("wave", "created_at", "id")
    )


def target_of(application: Application, environment: Environment) -> Target:
    """Where the application runs in the environment: of several targets the one that goes first. Raises Invalid."""
    return targets_for(application, environment)[0]


def targets_for(application: Application, environment: Environment) -> list[Target]:
    """Those of `targets_of`, at least one. Raises Invalid when nobody has set that up."""
    targets = list(targets_of(application, environment))
    if not targets:
        raise Invalid(
            f"{application} has no target in {environment}: an administrator must say which cluster and namespace.",
            details={"environment": [f"No target in {environment}."]},
        )
    return targets
