"""Pods that a controller can't create, of the kinds that say so in events only: StatefulSet, DaemonSet, Job."""

from collections.abc import Callable, Mapping

from deployments.targets.base import Manifest
from deployments.targets.kubernetes import objects
from deployments.targets.kubernetes.judging import causes, evidence, revisions
from deployments.targets.kubernetes.judging.causes import Cause
from deployments.targets.kubernetes.judging.revisions import Scene
from deployments.targets.kubernetes.wire.cluster import Cluster
from deployments.targets.kubernetes.wire.errors import Forbidden


def lacks_pods(scene: Scene) -> bool:
    """Whether a controller that complains in events only has not made all of its pods."""
    expected = _EXPECTED.get(str(scene.live.get("kind")))
    uid = objects.metadata(scene.live).get("uid")
    # Its selector may find the pods of another workload as well.
    own = [pod for pod in scene.pods if objects.owner(pod).get("uid") == uid]
    return expected is not None and len(own) < expected(scene.live)


def of_missing_pods(cluster: Cluster, namespace: str, scene: Scene) -> tuple[Cause, ...]:
    """Why pods are missing (see `lacks_pods`), where the cluster says why."""
    uid = objects.metadata(scene.live).get("uid")
    try:
        events = cluster.list("v1", "Event", namespace, fields=f"involvedObject.uid={uid},type=Warning")
    except Forbidden:
        return ()
    # Events stay for an hour: those before our apply were about what it has replaced.
    since = revisions.applied_at(scene.live)
    recent = [event for event in sorted(events, key=evidence.seen_at) if evidence.seen_at(event)[:19] >= since[:19]]
    return tuple(causes.of_creation_events(recent))


def _replicas(workload: Manifest) -> int:
    replicas = (workload.get("spec") or {}).get("replicas")
    return 1 if replicas is None else int(replicas)


def _scheduled(workload: Manifest) -> int:
    return int((workload.get("status") or {}).get("desiredNumberScheduled") or 0)


def _at_least_one(workload: Manifest) -> int:
    return 1


_EXPECTED: Mapping[str, Callable[[Manifest], int]] = {
    "StatefulSet": _replicas,
    "DaemonSet": _scheduled,
    "Job": _at_least_one,
}
