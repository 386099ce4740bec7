"""What the server itself writes into an object: identity on creation, first status, counted generations."""

import uuid
from collections.abc import Callable, Mapping
from secrets import randbelow

from deployments.sandbox import kinds
from deployments.sandbox.defaults import admitted_pod
from deployments.sandbox.kinds import Kind
from deployments.sandbox.objects import Object, name_of, timestamp, uid_of, with_metadata

_FIRST_STATUS: Mapping[Kind, Object] = {
    kinds.NAMESPACE: {"phase": "Active"},
    kinds.POD: {"phase": "Pending"},
    kinds.SERVICE: {"loadBalancer": {}},
    kinds.INGRESS: {"loadBalancer": {}},
    kinds.RESOURCE_QUOTA: {},
    kinds.VOLUME_CLAIM: {"phase": "Pending"},
    kinds.DEPLOYMENT: {},
    kinds.REPLICA_SET: {"replicas": 0},
    kinds.STATEFUL_SET: {"replicas": 0, "availableReplicas": 0},
    kinds.DAEMON_SET: {
        "currentNumberScheduled": 0,
        "numberMisscheduled": 0,
        "desiredNumberScheduled": 0,
        "numberReady": 0,
    },
    kinds.JOB: {},
    kinds.CRON_JOB: {},
    kinds.AUTOSCALER: {"desiredReplicas": 0, "currentMetrics": None},
    kinds.DEFINITION: {"conditions": [], "acceptedNames": {"plural": "", "kind": ""}, "storedVersions": []},
    kinds.DISRUPTION_BUDGET: {"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0},
}
_SERVER_WRITTEN = ("uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp", "selfLink")


def without_server_fields(obj: Object) -> Object:
    """What a client may say on creation: no status, no identity."""
    cleared = with_metadata(obj, **dict.fromkeys((*_SERVER_WRITTEN, "deletionGracePeriodSeconds", "managedFields")))
    return {name: value for name, value in cleared.items() if name != "status"}


def prepared_for_create(kind: Kind, obj: Object, uid: str = "") -> Object:
    out = with_metadata(
        obj,
        uid=uid or str(uuid.uuid4()),
        creationTimestamp=timestamp(),
        generation=1 if kind.generation else None,
    )
    if kind in _FIRST_STATUS:
        out["status"] = dict(_FIRST_STATUS[kind])
    prepare = _PREPARE.get(kind)
    return prepare(out) if prepare else out


def prepared_for_update(kind: Kind, old: Object, new: Object) -> Object:
    """Keep what a client cannot change, and count the generation when the spec changed."""
    kept = {name: old["metadata"].get(name) for name in (*_SERVER_WRITTEN, "deletionGracePeriodSeconds")}
    out = with_metadata(new, **kept)
    if kind in _FIRST_STATUS and "status" in old:
        out["status"] = old["status"]
    finish = _UPDATE.get(kind)
    out = finish(old, out) if finish else out
    if kind.generation and out.get("spec") != old.get("spec"):
        out = with_metadata(out, generation=old["metadata"]["generation"] + 1)
    return out


def _new_pod(pod: Object) -> Object:
    resources = [container.get("resources") or {} for container in pod["spec"].get("containers") or ()]
    status = {**pod["status"], "qosClass": _quality_of_service(resources)}
    return {**pod, "spec": admitted_pod(pod["spec"]), "status": status}


def _quality_of_service(resources: list[Object]) -> str:
    if not any(entry.get("requests") or entry.get("limits") for entry in resources):
        return "BestEffort"
    full = all(
        {"cpu", "memory"} <= set(entry.get("limits", {})) and entry.get("requests", entry["limits"]) == entry["limits"]
        for entry in resources
    )
    return "Guaranteed" if full else "Burstable"


def _new_job(job: Object) -> Object:
    uid, name = uid_of(job), name_of(job)
    labels = {
        "batch.kubernetes.io/controller-uid": uid,
        "batch.kubernetes.io/job-name": name,
        "controller-uid": uid,
        "job-name": name,
    }
    spec, template = job["spec"], job["spec"]["template"]
    if spec.get("manualSelector"):
        return job
    metadata = {**template["metadata"], "labels": {**template["metadata"].get("labels", {}), **labels}}
    selector = {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
    job = {**job, "spec": {**spec, "selector": selector, "template": {**template, "metadata": metadata}}}
    return with_metadata(job, labels={**job["metadata"].get("labels", {}), **labels})


def _new_daemon_set(daemon_set: Object) -> Object:
    return _template_generation(daemon_set, 1)


def _template_generation(daemon_set: Object, count: int) -> Object:
    annotations = daemon_set["metadata"].get("annotations", {})
    return with_metadata(
        daemon_set, annotations={**annotations, "deprecated.daemonset.template.generation": str(count)}
    )


def _new_service(service: Object) -> Object:
    spec = service["spec"]
    if spec.get("type") == "ExternalName" or "clusterIP" in spec:
        return service
    address = f"10.0.{randbelow(255)}.{randbelow(254) + 1}"
    spec = {**spec, "clusterIP": address, "clusterIPs": [address]}
    if spec["type"] in ("NodePort", "LoadBalancer"):
        spec["ports"] = [{"nodePort": 30000 + randbelow(2768), **port} for port in spec.get("ports") or ()]
    return {**service, "spec": spec}


def _new_namespace(namespace: Object) -> Object:
    labels = {**namespace["metadata"].get("labels", {}), "kubernetes.io/metadata.name": name_of(namespace)}
    return {**with_metadata(namespace, labels=labels), "spec": {"finalizers": ["kubernetes"]}}


def _updated_daemon_set(old: Object, new: Object) -> Object:
    count = int(old["metadata"].get("annotations", {}).get("deprecated.daemonset.template.generation", "1"))
    changed = new["spec"]["template"] != old["spec"]["template"]
    return _template_generation(new, count + 1 if changed else count)


def _updated_service(old: Object, new: Object) -> Object:
    kept = {name: old["spec"][name] for name in ("clusterIP", "clusterIPs") if name in old["spec"]}
    return {**new, "spec": {**kept, **new["spec"]}}


def _updated_pod(old: Object, new: Object) -> Object:
    return {**new, "spec": admitted_pod(new["spec"])}


_PREPARE: Mapping[Kind, Callable[[Object], Object]] = {
    kinds.POD: _new_pod,
    kinds.JOB: _new_job,
    kinds.DAEMON_SET: _new_daemon_set,
    kinds.SERVICE: _new_service,
    kinds.NAMESPACE: _new_namespace,
}
_UPDATE: Mapping[Kind, Callable[[Object, Object], Object]] = {
    kinds.DAEMON_SET: _updated_daemon_set,
    kinds.SERVICE: _updated_service,
    kinds.POD: _updated_pod,
}
