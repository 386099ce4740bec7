"""What workload controllers share: their pods, made from a template, counted and chosen."""

from collections.abc import Iterable, Sequence

from deployments.sandbox import kinds
from deployments.sandbox.cluster import Cluster, WriteOptions
from deployments.sandbox.deletion import delete
from deployments.sandbox.objects import (
    Object,
    controller_of,
    find_condition,
    is_terminating,
    name_of,
    namespace_of,
    owner_reference,
    seconds_since,
)
from deployments.sandbox.store import Change, Store

MANAGER = "kube-controller-manager"


def owner_keys(change: Change, owner_kind: str) -> Iterable[tuple[str, str]]:
    """The key of the owner of a changed object, when a controller of this kind owns it."""
    owner = controller_of(change.object)
    if owner and owner["kind"] == owner_kind:
        yield namespace_of(change.object), owner["name"]


def split_pods(pods: Iterable[Object]) -> tuple[list[Object], list[Object]]:
    """(active, terminating); finished pods are in neither."""
    active: list[Object] = []
    terminating: list[Object] = []
    for pod in pods:
        if pod["status"].get("phase") in ("Succeeded", "Failed"):
            continue
        (terminating if is_terminating(pod) else active).append(pod)
    return active, terminating


def is_ready(pod: Object) -> bool:
    condition = find_condition(pod["status"], "Ready")
    return condition is not None and condition["status"] == "True"


def seconds_to_available(pod: Object, min_ready_seconds: int) -> float | None:
    """0 when available, the time that is missing when ready for too short, None when not ready."""
    condition = find_condition(pod["status"], "Ready")
    if condition is None or condition["status"] != "True":
        return None
    if not min_ready_seconds:
        return 0
    return max(0.0, min_ready_seconds - seconds_since(condition["lastTransitionTime"]))


def pod_from(template: Object, owner: Object, **metadata: str) -> Object:
    """A pod's body made from a template; `metadata` carries its name or generateName."""
    said = template.get("metadata") or {}
    kept = {name: said[name] for name in ("labels", "annotations", "finalizers") if said.get(name)}
    return {"metadata": {**kept, **metadata, "ownerReferences": [owner_reference(owner)]}, "spec": template["spec"]}


def create_pod(cluster: Cluster, owner: Object, body: Object) -> Object:
    return cluster.create(kinds.POD, namespace_of(owner), body, WriteOptions(manager=MANAGER))


def delete_pod(store: Store, pod: Object) -> None:
    delete(store, kinds.POD, pod, {})


def first_to_go(pods: Sequence[Object], count: int) -> list[Object]:
    """The pods to delete when there are too many: unbound, pending, unready and young ones first."""

    def worth(pod: Object) -> tuple[bool, bool, bool]:
        return "nodeName" in pod["spec"], pod["status"].get("phase") == "Running", is_ready(pod)

    youngest_first = sorted(pods, key=lambda pod: (pod["metadata"]["creationTimestamp"], name_of(pod)), reverse=True)
    return sorted(youngest_first, key=worth)[:count]
