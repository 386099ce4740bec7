"""The scheduler: gives each pod a node, or says why none fits."""

from collections import Counter
from collections.abc import Iterable

from deployments.sandbox import kinds
from deployments.sandbox.controllers.runtime import Key, Runtime
from deployments.sandbox.images import does_not_fit
from deployments.sandbox.objects import (
    Object,
    find_condition,
    is_terminating,
    name_of,
    namespace_of,
    timestamp,
)
from deployments.sandbox.store import Change


class Scheduler:
    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def keys_for(self, change: Change) -> Iterable[Key]:
        if change.kind is not kinds.POD or change.type == "DELETED" or "nodeName" in change.object["spec"]:
            return ()
        return [(namespace_of(change.object), name_of(change.object))]

    def sync(self, namespace: str, name: str) -> None:
        pod = self._runtime.store.get(kinds.POD, namespace, name)
        if pod is None or "nodeName" in pod["spec"] or is_terminating(pod):
            return
        nodes = self._runtime.store.listed(kinds.NODE)
        fitting = [node for node in nodes if _fits(pod, node)]
        if any(does_not_fit(container["image"]) for container in pod["spec"]["containers"]):
            self._refuse(pod, len(nodes), "Insufficient cpu")
        elif not fitting:
            self._refuse(pod, len(nodes), "node(s) didn't match Pod's node affinity/selector")
        else:
            self._bind(pod, self._emptiest(fitting))

    def _emptiest(self, nodes: list[Object]) -> str:
        pods = self._runtime.store.listed(kinds.POD)
        used = Counter(pod["spec"].get("nodeName") for pod in pods if not is_terminating(pod))
        return min((name_of(node) for node in nodes), key=lambda name: (used[name], name))

    def _bind(self, pod: Object, node: str) -> None:
        # The binding is no ordinary write: it leaves no trace in managedFields.
        status = {**pod["status"], "conditions": [_scheduled("True")]}
        self._runtime.store.put(kinds.POD, {**pod, "spec": {**pod["spec"], "nodeName": node}, "status": status})
        message = f"Successfully assigned {namespace_of(pod)}/{name_of(pod)} to {node}"
        self._runtime.recorder.record_scheduling(pod, "Scheduled", message, "Normal")

    def _refuse(self, pod: Object, count: int, why: str) -> None:
        message = (
            f"0/{count} nodes are available: {count} {why}. preemption: 0/{count} nodes are available: {count} "
            "Preemption is not helpful for scheduling."
        )
        known = find_condition(pod["status"], "PodScheduled")
        if known and known.get("message") == message:
            return
        condition = {**_scheduled("False"), "reason": "Unschedulable", "message": message}
        status = {**pod["status"], "conditions": [condition]}
        self._runtime.cluster.write_status(kinds.POD, pod, status, "kube-scheduler")
        self._runtime.recorder.record_scheduling(pod, "FailedScheduling", message, "Warning")


def _fits(pod: Object, node: Object) -> bool:
    labels = node["metadata"].get("labels", {})
    wanted = pod["spec"].get("nodeSelector") or {}
    return all(labels.get(key) == value for key, value in wanted.items()) and name_of(node) in _pinned(pod, node)


def _pinned(pod: Object, node: Object) -> list[str]:
    """The nodes that a pod of a DaemonSet is made for; any other pod fits this node."""
    affinity = (pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    fields = [field for term in required.get("nodeSelectorTerms") or () for field in term.get("matchFields") or ()]
    return [name for field in fields for name in field["values"]] if fields else [name_of(node)]


def _scheduled(status: str) -> Object:
    return {"type": "PodScheduled", "status": status, "lastProbeTime": None, "lastTransitionTime": timestamp()}
