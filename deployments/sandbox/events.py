"""Events: what controllers and the scheduler tell people about an object."""

import time
import uuid
from collections import deque
from typing import Literal

from deployments.sandbox import kinds
from deployments.sandbox.managed import Writer, record_update
from deployments.sandbox.objects import Object, micro_timestamp, name_of, namespace_of, timestamp, uid_of, with_metadata
from deployments.sandbox.schema import schema_of
from deployments.sandbox.store import Store

# A real server forgets events after an hour; this one after this many.
_KEPT = 1000

_SCHEDULER_OWNS = ("action", "eventTime", "note", "reason", "regarding", "reportingController", "reportingInstance")


class Recorder:
    def __init__(self, store: Store) -> None:
        self._store = store
        kept = sorted(store.listed(kinds.EVENT), key=lambda event: int(event["metadata"]["resourceVersion"]))
        self._keys = deque((namespace_of(event), name_of(event)) for event in kept)

    def record(
        self, obj: Object, reason: str, message: str, component: str, sort: Literal["Normal", "Warning"] = "Normal"
    ) -> None:
        now = timestamp()
        event: Object = {
            "kind": "Event",
            "apiVersion": "v1",
            "metadata": self._metadata(obj),
            "involvedObject": _reference(obj),
            "reason": reason,
            "message": message,
            "source": {"component": component},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
            "type": sort,
            "eventTime": None,
            "reportingComponent": component,
            "reportingInstance": "",
        }
        writer = Writer("kube-controller-manager", "Update", "v1")
        owned = record_update(None, {k: v for k, v in event.items() if v}, schema_of(kinds.EVENT), writer)
        self._put(with_metadata(event, managedFields=owned["metadata"]["managedFields"]))

    def record_scheduling(self, pod: Object, reason: str, message: str, sort: Literal["Normal", "Warning"]) -> None:
        action = "Binding" if reason == "Scheduled" else "Scheduling"
        entry: Object = {
            "manager": "kube-scheduler",
            "operation": "Update",
            "apiVersion": "events.k8s.io/v1",
            "time": timestamp(),
            "fieldsType": "FieldsV1",
            "fieldsV1": {f"f:{name}": {} for name in (*_SCHEDULER_OWNS, "type")},
        }
        event: Object = {
            "kind": "Event",
            "apiVersion": "v1",
            "metadata": {**self._metadata(pod), "managedFields": [entry]},
            "involvedObject": _reference(pod),
            "reason": reason,
            "message": message,
            "source": {},
            "firstTimestamp": None,
            "lastTimestamp": None,
            "type": sort,
            "eventTime": micro_timestamp(),
            "action": action,
            "reportingComponent": "default-scheduler",
            "reportingInstance": "default-scheduler-sandbox",
        }
        self._put(event)

    def _metadata(self, obj: Object) -> Object:
        return {
            "name": f"{name_of(obj)}.{time.time_ns():x}",
            "namespace": namespace_of(obj) or "default",
            "uid": str(uuid.uuid4()),
            "creationTimestamp": timestamp(),
        }

    def _put(self, event: Object) -> None:
        stored = self._store.put(kinds.EVENT, event)
        self._keys.append((namespace_of(stored), name_of(stored)))
        if len(self._keys) > _KEPT:
            self._store.remove(kinds.EVENT, *self._keys.popleft())


def _reference(obj: Object) -> Object:
    return {
        "kind": obj["kind"],
        "namespace": namespace_of(obj),
        "name": name_of(obj),
        "uid": uid_of(obj),
        "apiVersion": obj["apiVersion"],
        "resourceVersion": obj["metadata"]["resourceVersion"],
    }
