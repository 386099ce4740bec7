"""What the strategies change in a deployment's objects, and in how they come to the cluster."""

from dataclasses import replace

from deployments.targets.base import Manifest, StepResult, Succeeded, Work
from deployments.targets.kubernetes import objects
from deployments.targets.kubernetes.applying import apply, preflight
from deployments.targets.kubernetes.applying.writing import Written
from deployments.targets.kubernetes.comparing.compare import Try, by_apply
from deployments.targets.kubernetes.rendering import render
from deployments.targets.kubernetes.strategies import blue_green, canary, recreate, tidy
from deployments.targets.kubernetes.strategies.canary import Observe
from deployments.targets.kubernetes.strategies.traffic import TRAFFIC_MANAGER
from deployments.targets.kubernetes.wire.cluster import Cluster
from deployments.targets.strategies import BLUE_GREEN, CANARY, RECREATE, has_preview, type_of


def rendered(work: Work) -> tuple[Manifest, ...]:
    """The release's objects as the strategy updates them. Pure. Raises InvalidContent."""
    items = render.render(work)
    if type_of(work.strategy) == CANARY:
        canary.check_names(items)
    return recreate.shaped(items) if type_of(work.strategy) == RECREATE else items


def stamped(work: Work) -> tuple[Manifest, ...]:
    """The objects with this deployment's marks and, for blue/green, names. Pure. Raises InvalidContent.

    A rollback's objects have the names of the deployment that it brings back.
    """
    items = render.stamp(work)
    if work.is_rollback or type_of(work.strategy) != BLUE_GREEN:
        return items
    items = blue_green.shaped(items, work.sequence)
    return blue_green.with_previews(items) if has_preview(work.strategy) else items


def check(cluster: Cluster, work: Work) -> StepResult:
    """The preflight, with the objects as they are applied first."""
    items = tuple(recreate.first(item, _live(cluster, work, item)) or item for item in work.objects)
    return preflight.preflight(cluster, replace(_taking_over(work), objects=items))


def trying(cluster: Cluster, work: Work) -> Try:
    """How a comparison tries each object: as the apply brings it, with what a Recreate becomes in two."""
    write = by_apply(cluster, _taking_over(work))

    def attempt(item: Manifest) -> Written:
        first = recreate.first(item, _live(cluster, work, item))
        written = write(first or item)
        return replace(written, after=recreate.finished(written.after)) if first else written

    return attempt


def apply_objects(cluster: Cluster, work: Work) -> StepResult:
    """Everything but the Services that only a switch may move; a rollback takes the traffic from a canary first."""
    if work.is_rollback and tidy.canaries(cluster, work):
        withdrawn = tidy.withdraw(cluster, work)
        if not isinstance(withdrawn, Succeeded):
            return withdrawn
    work = blue_green.before_switch(cluster, work)
    for item in work.objects:
        first = recreate.first(item, _live(cluster, work, item))
        prepared = apply.apply_objects(cluster, replace(work, objects=(first,))) if first else None
        if prepared is not None and not isinstance(prepared, Succeeded):
            return prepared
    return apply.apply_objects(cluster, _taking_over(work))


def shift(cluster: Cluster, work: Work, percent: int, observe: Observe) -> StepResult:
    """The canary at `percent`; at 0 it is gone. See `canary.shift`."""
    if percent == 0:
        return tidy.withdraw(cluster, work)
    return canary.shift(cluster, work, percent, observe)


def _live(cluster: Cluster, work: Work, item: Manifest) -> Manifest | None:
    if not recreate.is_recreated(item):
        return None
    return cluster.get(str(item["apiVersion"]), str(item["kind"]), work.namespace, objects.name_of(item))


def _taking_over(work: Work) -> Work:
    return replace(work, take_over=(*work.take_over, TRAFFIC_MANAGER))
