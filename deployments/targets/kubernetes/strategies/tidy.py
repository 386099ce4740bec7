"""Removes what a strategy brought beside a workload and no longer needs: old variants, canaries and their routes.

Only what carries our mark of this target, never what a release dropped by itself (that is pruned on request), and only
as it was read: a newer deployment that takes a workload up again changes it, and then it stays.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from deployments.targets.base import Manifest, Running, StepResult, Succeeded, Work
from deployments.targets.kubernetes import objects
from deployments.targets.kubernetes.applying import fence
from deployments.targets.kubernetes.strategies import blue_green, traffic
from deployments.targets.kubernetes.wire.cluster import Cluster
from deployments.targets.kubernetes.wire.errors import Modified, NotFound, Refused, UnknownKind

ATTEMPTS = 6
# Proxies and controllers follow a changed route within seconds; until then requests still come to the pods behind it.
DRAIN_SECONDS = 5.0
OURS = f"{objects.MANAGED_BY}={objects.MANAGER}"
CANARIES = f"{objects.TRACK}=canary"


@dataclass(frozen=True, slots=True)
class Listed:
    """A kind to look through. What is optional may not be served, or not be ours to read."""

    api_version: str
    kind: str
    labels: str
    optional: bool = False


WORKLOADS = (Listed("apps/v1", "Deployment", OURS), Listed("apps/v1", "StatefulSet", OURS, optional=True))
SCALERS = (Listed("autoscaling/v2", blue_green.SCALER, objects.VARIANT, optional=True),)
CANARY_PARTS = (
    Listed("networking.k8s.io/v1", "Ingress", CANARIES, optional=True),
    Listed("v1", "Service", CANARIES, optional=True),
    Listed("apps/v1", "Deployment", CANARIES),
)


def tidy(cluster: Cluster, work: Work) -> StepResult:
    """Remove the canary, then the variants before this deployment's."""
    withdrawn = withdraw(cluster, work)
    if not isinstance(withdrawn, Succeeded):
        return withdrawn
    found = [item for item in _listed(cluster, work, WORKLOADS) if is_left_over(item, work)]
    blocked = blue_green.not_switched(cluster, work) if found else None
    if blocked is not None:
        return blocked
    gone = {(item["kind"], objects.name_of(item)) for item in found}
    scalers = [item for item in _listed(cluster, work, SCALERS) if found and blue_green.reference(item) in gone]
    log = (*withdrawn.log, *(_delete(cluster, item, work) for item in (*scalers, *found)))
    return Succeeded(_told(log), log=log)


def canaries(cluster: Cluster, work: Work) -> list[Manifest]:
    """The canaries of this target that stand; who may not look sees none."""
    return list(_listed(cluster, work, (Listed("apps/v1", "Deployment", CANARIES, optional=True),)))


def withdraw(cluster: Cluster, work: Work) -> Running | Succeeded:
    """Take the traffic from the canary, give it a moment, and remove it."""
    parts = list(_listed(cluster, work, CANARY_PARTS))
    restored = traffic.restore(cluster, work, parts)
    shifted = [item for item in parts if item["kind"] == "Ingress"]
    log = (*restored, *(_delete(cluster, item, work) for item in shifted))
    if log:
        return Running("The canary gets no more traffic; it is removed in a moment.", DRAIN_SECONDS, log=log)
    log = tuple(_delete(cluster, item, work) for item in parts)
    return Succeeded(_told(log), log=log)


def is_left_over(live: Manifest, work: Work) -> bool:
    """Whether a live object stands in another's place: the variant before, or the workload before any variants. Pure.

    A workload of a name that the release does not hold at all is none of a strategy's.
    """
    kind = live.get("kind")
    ours = [item for item in work.objects if item.get("kind") == kind]
    if any(objects.name_of(item) == objects.name_of(live) for item in ours):
        return False
    return objects.base_name(live) in {objects.base_name(item) for item in ours}


def _listed(cluster: Cluster, work: Work, kinds: Sequence[Listed]) -> Iterator[Manifest]:
    for each in kinds:
        try:
            found = cluster.list(each.api_version, each.kind, work.namespace, labels=each.labels)
        except (Refused, UnknownKind):
            if not each.optional:
                raise
            continue
        yield from (item for item in found if objects.annotation(item, objects.TARGET) == work.target_id)


def _delete(cluster: Cluster, live: Manifest, work: Work) -> str:
    """A line for the log. Nothing that the release needs depends on it, so a refusal is told and not a verdict."""
    title = objects.title(live)
    for _ in range(ATTEMPTS):
        try:
            fence.refuse_if_newer(live, work)
            cluster.delete(live, work.namespace)
        except NotFound:
            return f"{title} was gone already."
        except Modified:
            again = cluster.get(str(live["apiVersion"]), str(live["kind"]), work.namespace, objects.name_of(live))
            if again is None:
                return f"{title} was gone already."
            live = {**again, "kind": live["kind"], "apiVersion": live["apiVersion"]}
        except Refused as error:
            return f"{title} stays: {error}"
        else:
            return f"Removed {title}."
    return f"{title} stays: it changes all the time."


def _told(log: Sequence[str]) -> str:
    is_removed: Callable[[str], bool] = lambda line: line.startswith("Removed ")  # noqa: E731
    removed, kept = [line for line in log if is_removed(line)], [line for line in log if " stays: " in line]
    if not removed and not kept:
        return "Nothing is left over."
    return " ".join([*removed, *kept])
