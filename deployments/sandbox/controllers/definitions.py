"""CustomResourceDefinitions: their kinds are served a moment after they were accepted, and go with them."""

import asyncio
from collections.abc import Iterable

from deployments.sandbox import kinds
from deployments.sandbox.controllers.runtime import Key, Runtime
from deployments.sandbox.custom import is_established
from deployments.sandbox.deletion import remove_now
from deployments.sandbox.objects import Object, name_of, timestamp, uid_of
from deployments.sandbox.store import Change

_MANAGER = "kube-apiserver"
# A real server installs the handlers of a new kind about so long after it took its names.
_INSTALLED_SECONDS = 1.0


class Definitions:
    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._accepted: dict[str, float] = {}

    def keys_for(self, change: Change) -> Iterable[Key]:
        return [("", name_of(change.object))] if change.kind is kinds.DEFINITION else ()

    def sync(self, namespace: str, name: str) -> None:
        store = self._runtime.store
        definition = store.get(kinds.DEFINITION, "", name)
        if definition is None:
            for kind in store.kinds.of(name):
                for obj in store.listed(kind):
                    remove_now(store, kind, obj)
            store.kinds.forget(name)
        elif is_established(definition):
            store.kinds.define(definition)
        else:
            self._establish(definition, (namespace, name))

    def _establish(self, definition: Object, key: Key) -> None:
        now = asyncio.get_running_loop().time()
        due = self._accepted.setdefault(uid_of(definition), now) + _INSTALLED_SECONDS / self._runtime.speed
        names = definition["spec"]["names"]
        stored = [version["name"] for version in definition["spec"].get("versions") or () if version.get("storage")]
        conditions = [
            _condition("NamesAccepted", "True", "NoConflicts", "no conflicts found"),
            _condition("Established", "True", "InitialNamesAccepted", "the initial names have been accepted")
            if now >= due
            else _condition("Established", "False", "Installing", "the API service is being installed"),
        ]
        status = {"conditions": conditions, "acceptedNames": names, "storedVersions": stored}
        if now < due:
            self._runtime.later(self, key, due - now)
            if _is_told(definition, status):
                return
        self._runtime.cluster.write_status(kinds.DEFINITION, definition, status, _MANAGER)


def _is_told(definition: Object, status: Object) -> bool:
    """Whether the status is there already, whenever that was."""

    def bare(found: Object) -> list[tuple[str, str]]:
        return [(item["type"], item["status"]) for item in found.get("conditions") or ()]

    return bare(definition.get("status") or {}) == bare(status)


def _condition(kind: str, status: str, reason: str, message: str) -> Object:
    return {"type": kind, "status": status, "lastTransitionTime": timestamp(), "reason": reason, "message": message}
