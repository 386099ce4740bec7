"""ResourceQuotas: how much of each limit is used. And volume claims: bound as soon as they are asked for."""

from collections.abc import Iterable

from deployments.sandbox import kinds
from deployments.sandbox.controllers.pods import MANAGER
from deployments.sandbox.controllers.runtime import Key, Runtime
from deployments.sandbox.objects import name_of, namespace_of, uid_of
from deployments.sandbox.quota import usage
from deployments.sandbox.store import Change


class Quotas:
    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def keys_for(self, change: Change) -> Iterable[Key]:
        if change.kind is not kinds.RESOURCE_QUOTA and change.type == "MODIFIED":
            return ()
        namespace = namespace_of(change.object)
        quotas = self._runtime.store.listed(kinds.RESOURCE_QUOTA, namespace) if namespace else ()
        return [(namespace, name_of(quota)) for quota in quotas]

    def sync(self, namespace: str, name: str) -> None:
        quota = self._runtime.store.get(kinds.RESOURCE_QUOTA, namespace, name)
        if quota is None:
            return
        used = usage(self._runtime.store, quota)
        hard = {key: limit for key, limit in (quota["spec"].get("hard") or {}).items() if key in used}
        self._runtime.cluster.write_status(kinds.RESOURCE_QUOTA, quota, {"hard": hard, "used": used}, MANAGER)


class VolumeClaims:
    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def keys_for(self, change: Change) -> Iterable[Key]:
        if change.kind is not kinds.VOLUME_CLAIM or change.type == "DELETED":
            return ()
        return [(namespace_of(change.object), name_of(change.object))]

    def sync(self, namespace: str, name: str) -> None:
        claim = self._runtime.store.get(kinds.VOLUME_CLAIM, namespace, name)
        if claim is None or claim["status"].get("phase") == "Bound":
            return
        if "volumeName" not in claim["spec"]:
            spec = {**claim["spec"], "volumeName": f"pvc-{uid_of(claim)}"}
            claim = self._runtime.cluster.write(kinds.VOLUME_CLAIM, {**claim, "spec": spec}, MANAGER)
        capacity = (claim["spec"].get("resources") or {}).get("requests") or {}
        status = {"phase": "Bound", "accessModes": claim["spec"].get("accessModes") or [], "capacity": capacity}
        self._runtime.cluster.write_status(kinds.VOLUME_CLAIM, claim, status, MANAGER)
