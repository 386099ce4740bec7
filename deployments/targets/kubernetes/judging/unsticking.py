"""Frees a StatefulSet from a broken pod of a revision that is to be replaced.

A StatefulSet that starts its pods in order waits for each one to be ready before it replaces any: after a failed
update it would wait for ever for the broken pod, and going back would never happen (kubernetes/kubernetes#67250). The
documented way out is to delete that pod; its successor is made from the wanted revision.
"""

from collections.abc import Sequence

from deployments.targets.kubernetes import objects
from deployments.targets.kubernetes.judging import causes
from deployments.targets.kubernetes.judging.revisions import Object, Scene, stateful_set_pods
from deployments.targets.kubernetes.wire.cluster import Cluster
from deployments.targets.kubernetes.wire.errors import Modified, NotFound, Refused

# An old pod that is just slow gets this long before it counts as broken.
SLOW_POD_SECONDS = 30.0


def stuck_pods(scene: Scene, *, waited_seconds: float) -> list[Object]:
    """The pods that hold up this StatefulSet and won't recover. Empty for other kinds and update strategies. Pure."""
    spec, status = scene.live.get("spec") or {}, scene.live.get("status") or {}
    strategy = spec.get("updateStrategy") or {}
    in_order = spec.get("podManagementPolicy", "OrderedReady") == "OrderedReady"
    if scene.live.get("kind") != "StatefulSet" or not in_order or strategy.get("type") == "OnDelete":
        return []
    if int(status.get("observedGeneration") or 0) < int(objects.metadata(scene.live).get("generation") or 0):
        return []
    partition = int((strategy.get("rollingUpdate") or {}).get("partition") or 0)
    is_overdue = waited_seconds >= SLOW_POD_SECONDS
    old = [pod for pod in stateful_set_pods(scene).old if _ordinal(pod) >= partition]
    return [pod for pod in old if _is_broken(pod, is_overdue=is_overdue)]


def delete_pods(cluster: Cluster, namespace: str, pods: Sequence[Object]) -> tuple[str, ...]:
    """Deletes exactly these pods (by uid, so never a successor); a line for the log for each."""
    log = []
    for pod in pods:
        name = objects.name_of(pod)
        try:
            cluster.delete_pod(namespace, name, str(objects.metadata(pod).get("uid", "")))
        except (NotFound, Modified):
            # Gone already, or replaced by a pod of the same name.
            continue
        except Refused as error:
            log.append(f"Pod {name} of another revision is broken and holds up its StatefulSet. {error}")
        else:
            log.append(f"Deleted pod {name}: it was broken, of another revision, and held up its StatefulSet.")
    return tuple(log)


def _is_broken(pod: Object, *, is_overdue: bool) -> bool:
    return any(cause.certain or is_overdue for cause in causes.of_pods([pod]))


def _ordinal(pod: Object) -> int:
    number = objects.name_of(pod).rpartition("-")[2]
    return int(number) if number.isdigit() else 0
