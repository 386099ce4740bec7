"""ReplicaSets: as many pods as asked for."""

from collections.abc import Iterable

from deployments.sandbox import kinds
from deployments.sandbox.controllers.pods import (
    MANAGER,
    create_pod,
    delete_pod,
    first_to_go,
    is_ready,
    owner_keys,
    pod_from,
    seconds_to_available,
    split_pods,
)
from deployments.sandbox.controllers.runtime import Key, Runtime
from deployments.sandbox.errors import ApiError
from deployments.sandbox.objects import (
    Object,
    find_condition,
    is_terminating,
    name_of,
    namespace_of,
    timestamp,
    uid_of,
    without_empty,
)
from deployments.sandbox.store import Change

_COMPONENT = "replicaset-controller"
# A refused pod is tried again after this time.
_RETRY_SECONDS = 1.0


class ReplicaSets:
    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def keys_for(self, change: Change) -> Iterable[Key]:
        if change.kind is kinds.REPLICA_SET:
            return [(namespace_of(change.object), name_of(change.object))]
        return owner_keys(change, "ReplicaSet") if change.kind is kinds.POD else ()

    def sync(self, namespace: str, name: str) -> None:
        store = self._runtime.store
        replica_set = store.get(kinds.REPLICA_SET, namespace, name)
        if replica_set is None:
            return
        active, terminating = split_pods(store.owned_by(uid_of(replica_set), kinds.POD))
        refused = None if is_terminating(replica_set) else self._manage(replica_set, active)
        status = self._status(replica_set, active, terminating, refused)
        self._runtime.cluster.write_status(kinds.REPLICA_SET, replica_set, status, MANAGER)

    def _manage(self, replica_set: Object, active: list[Object]) -> ApiError | None:
        """Create or delete pods; returns the refusal when the server does not take one."""
        runtime, recorder = self._runtime, self._runtime.recorder
        wanted = replica_set["spec"]["replicas"]
        for pod in first_to_go(active, max(0, len(active) - wanted)):
            delete_pod(runtime.store, pod)
            recorder.record(replica_set, "SuccessfulDelete", f"Deleted pod: {name_of(pod)}", _COMPONENT)
        for _ in range(wanted - len(active)):
            body = pod_from(replica_set["spec"]["template"], replica_set, generateName=f"{name_of(replica_set)}-")
            try:
                pod = create_pod(runtime.cluster, replica_set, body)
            except ApiError as error:
                recorder.record(replica_set, "FailedCreate", f"Error creating: {error}", _COMPONENT, "Warning")
                key = (namespace_of(replica_set), name_of(replica_set))
                runtime.later(self, key, _RETRY_SECONDS)
                return error
            recorder.record(replica_set, "SuccessfulCreate", f"Created pod: {name_of(pod)}", _COMPONENT)
        return None

    def _status(
        self, replica_set: Object, active: list[Object], terminating: list[Object], refused: ApiError | None
    ) -> Object:
        key = (namespace_of(replica_set), name_of(replica_set))
        waits = [
            seconds_to_available(pod, replica_set["spec"].get("minReadySeconds", 0)) for pod in active if is_ready(pod)
        ]
        if missing := [seconds for seconds in waits if seconds]:
            self._runtime.later(self, key, min(missing))
        labels = replica_set["spec"]["template"]["metadata"].get("labels", {}).items()
        labeled = [pod for pod in active if labels <= pod["metadata"].get("labels", {}).items()]
        status = {
            "replicas": len(active),
            "fullyLabeledReplicas": len(labeled),
            "readyReplicas": len(waits),
            "availableReplicas": waits.count(0),
            "terminatingReplicas": len(terminating),
            "observedGeneration": replica_set["metadata"]["generation"],
            "conditions": _conditions(replica_set, refused),
        }
        return without_empty(status, keep=("replicas", "terminatingReplicas"))


def _conditions(replica_set: Object, refused: ApiError | None) -> list[Object]:
    if refused is None:
        return []
    known = find_condition(replica_set["status"], "ReplicaFailure")
    return [
        known
        or {
            "type": "ReplicaFailure",
            "status": "True",
            "lastTransitionTime": timestamp(),
            "reason": "FailedCreate",
            "message": str(refused),
        }
    ]
