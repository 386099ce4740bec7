"""Reads about several targets of an application in one environment, and the parts of a deployment there."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet

from deployments.models import Deployment, Step, Target
from deployments.selectors.deployments import LONG
from deployments.selectors.places import targets_of
from deployments.statuses import DeploymentStatus, StepName


def further_targets(lead: Deployment) -> list[Target]:
    """Where a deployment goes once its own target is done, in the order in which they are served."""
    return [each for each in targets_of(lead.application, lead.environment) if each.pk != lead.target_id]


def waves_of(targets: Iterable[Target]) -> list[list[Target]]:
    """Ordered targets, those that are served at the same time together."""
    return [list(group) for _, group in groupby(targets, key=lambda target: target.wave)]


def names_of(targets: Iterable[Target]) -> dict[UUID, str]:
    """Target id → what tells it from the others: its cluster, or its namespace there, or both."""
    rows = {each.pk: each for each in targets}
    shared = Counter(each.cluster_id for each in rows.values())

    def name_of(target: Target) -> str:
        if shared[target.cluster_id] == 1:
            return target.cluster.name
        return target.namespace if len(shared) == 1 else f"{target.cluster.name}/{target.namespace}"

    return {pk: name_of(target) for pk, target in rows.items()}


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


def has_open_parts(lead: Deployment) -> bool:
    return Deployment.objects.open().filter(part_of=lead.pk).exists()


@dataclass(frozen=True)
class Leg:
    """One target on the way of a deployment to several. `deployment` is None while it has not been reached."""

    name: str
    target: Target
    deployment: Deployment | None

    @property
    def status(self) -> str:
        """A word of `releasemgr.core.looks`; of the leading one what became of its own target."""
        if self.deployment is None:
            return "waiting"
        if self.deployment.part_of_id is None and _has_gone_on(self.deployment):
            return DeploymentStatus.SUCCEEDED
        return self.deployment.status


def legs_of(lead: Deployment) -> list[Leg]:
    """Every target of a deployment to several, in order; nothing for one that has a single target."""
    made = {part.target_id: part for part in parts_of(lead)}
    targets = [part.target for part in made.values()]
    if lead.is_open and not lead.is_rollback and lead.part_of_id is None:
        targets = further_targets(lead)
    if not targets:
        return []
    names = names_of([lead.target, *targets])
    found = [Leg(names[each.pk], each, made.get(each.pk)) for each in targets]
    return [Leg(names[lead.target_id], lead.target, lead), *found]


def _has_gone_on(lead: Deployment) -> bool:
    """Its own target is done. From the steps as they were loaded: they belong to the page."""
    is_taken_back = lead.status == DeploymentStatus.ROLLED_BACK
    reached = any(step.name == StepName.WAVES and step.started_at for step in lead.steps.all())
    return reached and not is_taken_back


def listed(names: Iterable[str]) -> str:
    """`eu-1, eu-2 and us-1`."""
    words = list(names)
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)
