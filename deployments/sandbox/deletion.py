"""Deleting: grace for pods, finalizers, and what happens to the objects that an object owns."""

from typing import Any

from deployments.sandbox import kinds
from deployments.sandbox.errors import modified_meanwhile, resource_details, uid_precondition
from deployments.sandbox.kinds import Kind
from deployments.sandbox.objects import Object, name_of, namespace_of, timestamp, uid_of, with_metadata
from deployments.sandbox.store import Store

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"


def delete(store: Store, kind: Kind, obj: Object, options: dict[str, Any], *, dry_run: bool = False) -> Object:
    """Delete one object; `options` is a DeleteOptions body. Returns what the server answers.

    Objects that go at once are answered with a Status, the others (graceful, finalizers) with the object.
    """
    _check_preconditions(kind, obj, options.get("preconditions") or {})
    if kind is kinds.NAMESPACE:
        return _delete_namespace(store, obj, dry_run=dry_run)
    if kind is kinds.POD and (grace := _grace(obj, options)) > 0:
        return obj if dry_run else _terminate(store, obj, grace)
    finalizers = _finalizers(kind, obj, options)
    if finalizers:
        marked = with_metadata(
            obj,
            deletionTimestamp=obj["metadata"].get("deletionTimestamp") or timestamp(),
            deletionGracePeriodSeconds=0,
            finalizers=finalizers,
            generation=_next_generation(obj),
        )
        return marked if dry_run or marked == obj else store.put(kind, marked)
    if not dry_run:
        remove_now(store, kind, obj)
    details = resource_details(kind, name_of(obj), uid=uid_of(obj))
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


def remove_now(store: Store, kind: Kind, obj: Object) -> None:
    """Remove an object; a pod is first seen with no grace left, as watches of a real server show it."""
    if kind is kinds.POD:
        store.put(
            kind,
            with_metadata(
                obj,
                deletionTimestamp=timestamp(),
                deletionGracePeriodSeconds=0,
                generation=_next_generation(obj),
            ),
        )
    store.remove(kind, namespace_of(obj), name_of(obj))


def _check_preconditions(kind: Kind, obj: Object, wanted: dict[str, Any]) -> None:
    if wanted.get("uid") and wanted["uid"] != uid_of(obj):
        raise uid_precondition(kind, name_of(obj), wanted["uid"], uid_of(obj))
    if wanted.get("resourceVersion") and wanted["resourceVersion"] != obj["metadata"]["resourceVersion"]:
        raise modified_meanwhile(kind, name_of(obj))


def _grace(pod: Object, options: dict[str, Any]) -> int:
    if "nodeName" not in pod["spec"] or pod["status"].get("phase") in ("Succeeded", "Failed"):
        return 0
    asked = options.get("gracePeriodSeconds")
    return int(asked if asked is not None else pod["spec"].get("terminationGracePeriodSeconds", 30))


def _terminate(store: Store, pod: Object, grace: int) -> Object:
    if "deletionTimestamp" in pod["metadata"]:
        return pod
    return store.put(
        kinds.POD,
        with_metadata(
            pod,
            deletionTimestamp=timestamp(after_seconds=grace),
            deletionGracePeriodSeconds=grace,
            generation=_next_generation(pod),
        ),
    )


def _next_generation(obj: Object) -> int | None:
    generation: int | None = obj["metadata"].get("generation")
    return generation + 1 if generation and "deletionTimestamp" not in obj["metadata"] else generation


def _finalizers(kind: Kind, obj: Object, options: dict[str, Any]) -> list[str]:
    policy = options.get("propagationPolicy")
    if policy is None and "orphanDependents" in options:
        policy = "Orphan" if options["orphanDependents"] else "Background"
    if policy is None and kind is kinds.JOB:
        policy = "Orphan"
    kept = [item for item in obj["metadata"].get("finalizers") or () if item not in (FOREGROUND, ORPHAN)]
    extra = {"Foreground": [FOREGROUND], "Orphan": [ORPHAN]}.get(policy or "", [])
    return kept + extra


def _delete_namespace(store: Store, namespace: Object, *, dry_run: bool) -> Object:
    if "deletionTimestamp" in namespace["metadata"]:
        return namespace
    marked = with_metadata(namespace, deletionTimestamp=timestamp())
    marked["status"] = {"phase": "Terminating"}
    return marked if dry_run else store.put(kinds.NAMESPACE, marked)
