"""StatefulSets: numbered pods, one after another, updated from the highest number down."""

from collections.abc import Iterable, Mapping

from deployments.sandbox import kinds
from deployments.sandbox.cluster import WriteOptions
from deployments.sandbox.controllers.pods import (
    MANAGER,
    create_pod,
    delete_pod,
    is_ready,
    owner_keys,
    pod_from,
    seconds_to_available,
)
from deployments.sandbox.controllers.revisions import (
    REVISION_LABEL,
    ensure_revision,
    forget_revisions,
    template_of_revision,
)
from deployments.sandbox.controllers.runtime import Key, Runtime
from deployments.sandbox.errors import ApiError
from deployments.sandbox.objects import Object, is_terminating, name_of, namespace_of, uid_of, without_empty
from deployments.sandbox.store import Change

_COMPONENT = "statefulset-controller"
_RETRY_SECONDS = 1.0


class StatefulSets:
    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._cluster = runtime.cluster

    def keys_for(self, change: Change) -> Iterable[Key]:
        if change.kind is kinds.STATEFUL_SET:
            return [(namespace_of(change.object), name_of(change.object))]
        return owner_keys(change, "StatefulSet") if change.kind is kinds.POD else ()

    def sync(self, namespace: str, name: str) -> None:
        owner = self._runtime.store.get(kinds.STATEFUL_SET, namespace, name)
        if owner is None or is_terminating(owner):
            return
        update = ensure_revision(self._cluster, owner)
        current = owner["status"].get("currentRevision") or update
        pods = {_ordinal(pod): pod for pod in self._runtime.store.owned_by(uid_of(owner), kinds.POD)}
        status = self._counted(owner, pods, current, update)
        if self._fill(owner, pods, current, update):
            self._update(owner, pods, status, current, update)
        status = _completed(owner, status)
        kept = without_empty(status, keep=("replicas", "availableReplicas", "collisionCount"))
        self._cluster.write_status(kinds.STATEFUL_SET, owner, kept, MANAGER)
        forget_revisions(self._cluster, owner, {current, update})

    def _counted(self, owner: Object, pods: Mapping[int, Object], current: str, update: str) -> Object:
        living = [_revision(owner, pod) for pod in pods.values() if not is_terminating(pod)]
        minimum = owner["spec"].get("minReadySeconds", 0)
        waits = [seconds_to_available(pod, minimum) for pod in pods.values() if is_ready(pod)]
        if missing := [seconds for seconds in waits if seconds]:
            self._runtime.later(self, (namespace_of(owner), name_of(owner)), min(missing))
        return {
            "observedGeneration": owner["metadata"]["generation"],
            "replicas": len(pods),
            "readyReplicas": len(waits),
            "currentReplicas": living.count(current),
            "updatedReplicas": living.count(update),
            "currentRevision": current,
            "updateRevision": update,
            "collisionCount": owner["status"].get("collisionCount", 0),
            "availableReplicas": waits.count(0),
        }

    def _fill(self, owner: Object, pods: Mapping[int, Object], current: str, update: str) -> bool:
        """Create missing pods and delete surplus ones; False when something has to settle first."""
        wanted, in_order = owner["spec"]["replicas"], owner["spec"]["podManagementPolicy"] == "OrderedReady"
        for ordinal in range(wanted):
            pod = pods.get(ordinal)
            if pod is None:
                first = not owner["status"].get("currentRevision") or ordinal >= _partition(owner)
                if not self._create(owner, ordinal, update if first else current) or in_order:
                    return False
            elif pod["status"].get("phase") in ("Failed", "Succeeded"):
                self._delete(owner, pod)
                return False
            elif in_order and (is_terminating(pod) or not is_ready(pod)):
                return False
        for ordinal in sorted((number for number in pods if number >= wanted), reverse=True):
            if not is_terminating(pods[ordinal]):
                self._delete(owner, pods[ordinal])
            if in_order:
                return False
        return True

    def _update(self, owner: Object, pods: Mapping[int, Object], status: Object, current: str, update: str) -> None:
        """Take the highest pod that is not up to date; wait while one of those above is not well."""
        if owner["spec"]["updateStrategy"]["type"] != "RollingUpdate":
            return
        for ordinal in sorted((number for number in pods if number >= _partition(owner)), reverse=True):
            pod = pods[ordinal]
            if _revision(owner, pod) != update and not is_terminating(pod):
                self._delete(owner, pod)
                if _revision(owner, pod) == current:
                    status["currentReplicas"] -= 1
                return
            if is_terminating(pod) or not is_ready(pod):
                return

    def _create(self, owner: Object, ordinal: int, revision: str) -> bool:
        name = f"{name_of(owner)}-{ordinal}"
        template = template_of_revision(self._cluster, owner, revision)
        body = pod_from(template, owner, name=name, generateName=f"{name_of(owner)}-")
        body["metadata"]["labels"] = {
            **body["metadata"].get("labels", {}),
            "apps.kubernetes.io/pod-index": str(ordinal),
            REVISION_LABEL: revision,
            "statefulset.kubernetes.io/pod-name": name,
        }
        spec = {**body["spec"], "hostname": name, "subdomain": owner["spec"].get("serviceName", "")}
        body["spec"] = {**spec, "volumes": self._volumes(owner, spec, name)}
        try:
            create_pod(self._cluster, owner, body)
        except ApiError as error:
            message = f"create Pod {name} in StatefulSet {name_of(owner)} failed error: {error}"
            self._runtime.recorder.record(owner, "FailedCreate", message, _COMPONENT, "Warning")
            self._runtime.later(self, (namespace_of(owner), name_of(owner)), _RETRY_SECONDS)
            return False
        message = f"create Pod {name} in StatefulSet {name_of(owner)} successful"
        self._runtime.recorder.record(owner, "SuccessfulCreate", message, _COMPONENT)
        return True

    def _volumes(self, owner: Object, spec: Object, pod_name: str) -> list[Object]:
        """The template's volumes and one for each claim, which is made when it is not there yet."""
        volumes = list(spec.get("volumes") or ())
        for claim in owner["spec"].get("volumeClaimTemplates") or ():
            name = f"{name_of(claim)}-{pod_name}"
            if self._runtime.store.get(kinds.VOLUME_CLAIM, namespace_of(owner), name) is None:
                labels = (owner["spec"]["selector"].get("matchLabels")) or {}
                body = {"metadata": {"name": name, "labels": labels}, "spec": claim["spec"]}
                options = WriteOptions(manager=MANAGER)
                self._cluster.create(kinds.VOLUME_CLAIM, namespace_of(owner), body, options)
            volumes.append({"name": name_of(claim), "persistentVolumeClaim": {"claimName": name}})
        return volumes

    def _delete(self, owner: Object, pod: Object) -> None:
        delete_pod(self._runtime.store, pod)
        message = f"delete Pod {name_of(pod)} in StatefulSet {name_of(owner)} successful"
        self._runtime.recorder.record(owner, "SuccessfulDelete", message, _COMPONENT)


def _ordinal(pod: Object) -> int:
    return int(name_of(pod).rpartition("-")[2])


def _revision(owner: Object, pod: Object) -> str:
    return str(pod["metadata"].get("labels", {}).get(REVISION_LABEL, ""))


def _partition(owner: Object) -> int:
    return int((owner["spec"]["updateStrategy"].get("rollingUpdate") or {}).get("partition", 0))


def _completed(owner: Object, status: Object) -> Object:
    """Once every pod is updated and ready, the new revision is the current one."""
    whole = status["replicas"] == owner["spec"]["replicas"] == status["updatedReplicas"] == status["readyReplicas"]
    if not whole or owner["spec"]["updateStrategy"]["type"] != "RollingUpdate":
        return status
    return {**status, "currentReplicas": status["updatedReplicas"], "currentRevision": status["updateRevision"]}
