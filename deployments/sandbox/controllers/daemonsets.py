"""DaemonSets: one pod on each node that fits, replaced a few at a time."""

from collections.abc import Iterable, Sequence

from deployments.sandbox import kinds
from deployments.sandbox.controllers.deployment_status import resolve
from deployments.sandbox.controllers.pods import (
    MANAGER,
    create_pod,
    delete_pod,
    is_ready,
    owner_keys,
    pod_from,
    seconds_to_available,
)
from deployments.sandbox.controllers.revisions import REVISION_LABEL, ensure_revision, forget_revisions
from deployments.sandbox.controllers.runtime import Key, Runtime
from deployments.sandbox.errors import ApiError
from deployments.sandbox.objects import Object, is_terminating, name_of, namespace_of, uid_of, without_empty
from deployments.sandbox.store import Change

_COMPONENT = "daemonset-controller"
_GENERATION = "deprecated.daemonset.template.generation"
_RETRY_SECONDS = 1.0
_KEPT = ("currentNumberScheduled", "desiredNumberScheduled", "numberMisscheduled", "numberReady")
# A DaemonSet's pods also run on nodes that are not well.
_TOLERATIONS = [
    {"key": f"node.kubernetes.io/{what}", "operator": "Exists", "effect": effect}
    for what, effect in (
        ("not-ready", "NoExecute"),
        ("unreachable", "NoExecute"),
        ("disk-pressure", "NoSchedule"),
        ("memory-pressure", "NoSchedule"),
        ("pid-pressure", "NoSchedule"),
        ("unschedulable", "NoSchedule"),
    )
]


class DaemonSets:
    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def keys_for(self, change: Change) -> Iterable[Key]:
        if change.kind is kinds.DAEMON_SET:
            return [(namespace_of(change.object), name_of(change.object))]
        return owner_keys(change, "DaemonSet") if change.kind is kinds.POD else ()

    def sync(self, namespace: str, name: str) -> None:
        owner = self._runtime.store.get(kinds.DAEMON_SET, namespace, name)
        if owner is None or is_terminating(owner):
            return
        revision = ensure_revision(self._runtime.cluster, owner)
        digest = revision.removeprefix(f"{name_of(owner)}-")
        pods = self._runtime.store.owned_by(uid_of(owner), kinds.POD)
        nodes = self._nodes(owner)
        self._fill(owner, nodes, pods, digest)
        if owner["spec"]["updateStrategy"]["type"] == "RollingUpdate":
            self._update(owner, nodes, pods, digest)
        status = self._status(owner, nodes, pods, digest)
        self._runtime.cluster.write_status(kinds.DAEMON_SET, owner, status, MANAGER)
        forget_revisions(self._runtime.cluster, owner, {revision})

    def _nodes(self, owner: Object) -> list[str]:
        wanted = (owner["spec"]["template"]["spec"].get("nodeSelector") or {}).items()
        nodes = self._runtime.store.listed(kinds.NODE)
        return [name_of(node) for node in nodes if wanted <= node["metadata"].get("labels", {}).items()]

    def _fill(self, owner: Object, nodes: Sequence[str], pods: Sequence[Object], digest: str) -> None:
        taken = {_node(pod) for pod in pods}
        for node in nodes:
            if node not in taken and not self._create(owner, node, digest):
                return
        for pod in pods:
            ended = pod["status"].get("phase") in ("Failed", "Succeeded")
            if (ended or _node(pod) not in nodes) and not is_terminating(pod):
                self._delete(owner, pod)

    def _update(self, owner: Object, nodes: Sequence[str], pods: Sequence[Object], digest: str) -> None:
        rolling = owner["spec"]["updateStrategy"]["rollingUpdate"]
        allowed = max(1, resolve(rolling["maxUnavailable"], len(nodes), round_up=True))
        old = [pod for pod in pods if _hash(pod) != digest and not is_terminating(pod)]
        well = [pod for pod in pods if is_ready(pod) and not is_terminating(pod)]
        room = allowed - (len(nodes) - len(well))
        broken = [pod for pod in old if not is_ready(pod)]
        for pod in [*broken, *[pod for pod in old if is_ready(pod)][: max(0, room)]]:
            self._delete(owner, pod)

    def _create(self, owner: Object, node: str, digest: str) -> bool:
        body = pod_from(owner["spec"]["template"], owner, generateName=f"{name_of(owner)}-")
        generation = owner["metadata"].get("annotations", {}).get(_GENERATION, "1")
        labels = body["metadata"].get("labels", {})
        extra = {REVISION_LABEL: digest, "pod-template-generation": generation}
        body["metadata"]["labels"] = {**labels, **extra}
        body["spec"] = {**body["spec"], "affinity": _pin(node), "tolerations": _TOLERATIONS}
        try:
            pod = create_pod(self._runtime.cluster, owner, body)
        except ApiError as error:
            message = f"Error creating: {error}"
            self._runtime.recorder.record(owner, "FailedCreate", message, _COMPONENT, "Warning")
            self._runtime.later(self, (namespace_of(owner), name_of(owner)), _RETRY_SECONDS)
            return False
        self._runtime.recorder.record(owner, "SuccessfulCreate", f"Created pod: {name_of(pod)}", _COMPONENT)
        return True

    def _delete(self, owner: Object, pod: Object) -> None:
        delete_pod(self._runtime.store, pod)
        self._runtime.recorder.record(owner, "SuccessfulDelete", f"Deleted pod: {name_of(pod)}", _COMPONENT)

    def _status(self, owner: Object, nodes: Sequence[str], pods: Sequence[Object], digest: str) -> Object:
        placed = [pod for pod in pods if _node(pod) in nodes]
        minimum = owner["spec"].get("minReadySeconds", 0)
        waits = [seconds_to_available(pod, minimum) for pod in placed if is_ready(pod)]
        if missing := [seconds for seconds in waits if seconds]:
            self._runtime.later(self, (namespace_of(owner), name_of(owner)), min(missing))
        available = waits.count(0)
        status = {
            "currentNumberScheduled": len(placed),
            "numberMisscheduled": len(pods) - len(placed),
            "desiredNumberScheduled": len(nodes),
            "numberReady": len(waits),
            "observedGeneration": owner["metadata"]["generation"],
            "updatedNumberScheduled": sum(1 for pod in placed if _hash(pod) == digest),
            "numberAvailable": available,
            "numberUnavailable": len(nodes) - available,
        }
        return without_empty(status, keep=_KEPT)


def _hash(pod: Object) -> str:
    return str(pod["metadata"].get("labels", {}).get(REVISION_LABEL, ""))


def _pin(node: str) -> Object:
    term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}}


def _node(pod: Object) -> str:
    """The node that a pod runs on or is made for."""
    required = pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    return str(required["nodeSelectorTerms"][0]["matchFields"][0]["values"][0])
