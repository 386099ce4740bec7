"""Reads about several targets of an application in one environment, and the parts of a deployment there."""

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import groupby
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet

from deployments.models import Deployment, Step, Target
from deployments.policies import visible_deployments
from deployments.selectors.deployments import LONG
from deployments.selectors.places import targets_of
from deployments.statuses import StepName
from releasemgr.core.actors import Actor


def further_targets(lead: Deployment) -> list[Target]:
    """Where a deployment goes once its own target is done, in the order in which they are served."""
    return [each for each in targets_of(lead.application, lead.environment) if each.pk != lead.target_id]


def waves_of(targets: Iterable[Target]) -> list[list[Target]]:
    """Ordered targets, those that are served at the same time together."""
    return [list(group) for _, group in groupby(targets, key=lambda target: target.wave)]


def names_of(targets: Iterable[Target]) -> dict[UUID, str]:
    """Target id → what people call it: its cluster, with the namespace where the cluster alone does not say it."""
    rows = list(targets)
    shared = Counter(each.cluster_id for each in rows)
    return {
        each.pk: each.cluster.name if shared[each.cluster_id] == 1 else f"{each.cluster.name}/{each.namespace}"
        for each in rows
    }


def parts_of(lead: Deployment) -> QuerySet[Deployment]:
    """In the order of their targets."""
    return (
        Deployment.objects.filter(part_of=lead.pk)
        .select_related("target__cluster", "target__environment", "target__application", "release__application")
        .select_related("environment", "application")
        .defer("target__database_url", "target__cluster__kubeconfig", *LONG)
        .order_by("target__wave", "target__created_at", "target_id")
    )


def touched_parts_of(lead: Deployment) -> QuerySet[Deployment]:
    """Those that may have changed something in the cluster."""
    started = Step.objects.filter(deployment=OuterRef("pk"), started_at__isnull=False)
    return parts_of(lead).filter(Exists(started.exclude(name=StepName.PREFLIGHT)))


def visible_parts(actor: Actor, lead: Deployment) -> QuerySet[Deployment]:
    return parts_of(lead).filter(pk__in=visible_deployments(actor).values("pk"))


def has_open_parts(lead: Deployment) -> bool:
    return Deployment.objects.open().filter(part_of=lead.pk).exists()


def listed(names: Iterable[str]) -> str:
    """`eu-1, eu-2 and us-1`."""
    words = list(names)
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def by_target(parts: Iterable[Deployment]) -> Mapping[UUID, Deployment]:
    return {part.target_id: part for part in parts}
