"""Garbage collection: what an object owned goes with it; namespaces take everything with them."""

from collections.abc import Iterable, Iterator

from deployments.sandbox import kinds
from deployments.sandbox.cluster import WriteOptions
from deployments.sandbox.controllers.pods import MANAGER
from deployments.sandbox.controllers.runtime import Key, Runtime
from deployments.sandbox.deletion import FOREGROUND, ORPHAN, delete
from deployments.sandbox.errors import ApiError
from deployments.sandbox.kinds import Kind
from deployments.sandbox.objects import Object, is_terminating, name_of, namespace_of, uid_of, with_metadata
from deployments.sandbox.store import Change


class Garbage:
    """Keys are uids of owners that are gone or going; the second part is empty."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._owners: dict[str, tuple[Kind, str, str]] = {}

    def keys_for(self, change: Change) -> Iterator[Key]:
        obj, gone = change.object, change.type == "DELETED"
        if gone or is_terminating(obj):
            self._owners[uid_of(obj)] = (change.kind, namespace_of(obj), name_of(obj))
            yield uid_of(obj), ""
        if gone:
            references = obj["metadata"].get("ownerReferences", ())
            yield from ((ref["uid"], "") for ref in references if ref["uid"] in self._owners)

    def sync(self, namespace: str, name: str) -> None:
        uid = namespace
        if uid not in self._owners:
            return
        owner_kind, where, owner_name = self._owners[uid]
        owner = self._runtime.store.get(owner_kind, where, owner_name)
        if owner is None or uid_of(owner) != uid:
            self._delete_dependents(uid)
            if not self._runtime.store.owned_by(uid):
                del self._owners[uid]
        elif is_terminating(owner):
            self._finish(owner_kind, owner)

    def _delete_dependents(self, uid: str) -> None:
        for dependent in self._runtime.store.owned_by(uid):
            if not is_terminating(dependent):
                kind = self._runtime.store.kinds.by_name(dependent["apiVersion"], dependent["kind"])
                delete(self._runtime.store, kind, dependent, {"propagationPolicy": "Background"})

    def _finish(self, kind: Kind, owner: Object) -> None:
        finalizers = owner["metadata"].get("finalizers") or []
        dependents = self._runtime.store.owned_by(uid_of(owner))
        if ORPHAN in finalizers:
            for dependent in dependents:
                self._orphan(dependent, uid_of(owner))
            self._release(kind, owner, ORPHAN)
        elif FOREGROUND in finalizers:
            if dependents:
                self._delete_dependents(uid_of(owner))
            else:
                self._release(kind, owner, FOREGROUND)

    def _orphan(self, dependent: Object, uid: str) -> None:
        kind = self._runtime.store.kinds.by_name(dependent["apiVersion"], dependent["kind"])
        kept = [ref for ref in dependent["metadata"]["ownerReferences"] if ref["uid"] != uid]
        self._runtime.cluster.write(kind, with_metadata(dependent, ownerReferences=kept or None), MANAGER)

    def _release(self, kind: Kind, owner: Object, finalizer: str) -> None:
        left = [item for item in owner["metadata"]["finalizers"] if item != finalizer]
        self._runtime.cluster.write(kind, with_metadata(owner, finalizers=left or None), MANAGER)


class Namespaces:
    """Furnishes new namespaces, and empties and removes those that are deleted."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def keys_for(self, change: Change) -> Iterable[Key]:
        if change.kind is kinds.NAMESPACE:
            return [("", name_of(change.object))]
        parent = self._runtime.store.get(kinds.NAMESPACE, "", namespace_of(change.object))
        return [("", name_of(parent))] if parent and is_terminating(parent) and change.type == "DELETED" else ()

    def sync(self, namespace: str, name: str) -> None:
        found = self._runtime.store.get(kinds.NAMESPACE, "", name)
        if found is None:
            return
        if is_terminating(found):
            self._empty(name)
        else:
            self._furnish(name)

    def _furnish(self, name: str) -> None:
        options = WriteOptions(manager=MANAGER)
        certificate = {"metadata": {"name": "kube-root-ca.crt"}, "data": {"ca.crt": ""}}
        for kind, body in ((kinds.SERVICE_ACCOUNT, {"metadata": {"name": "default"}}), (kinds.CONFIG_MAP, certificate)):
            if self._runtime.store.get(kind, name, body["metadata"]["name"]) is None:
                try:
                    self._runtime.cluster.create(kind, name, body, options)
                except ApiError:  # a quota stands against it: the namespace goes without, as a real one does
                    continue

    def _empty(self, name: str) -> None:
        store = self._runtime.store
        known = [kind for kind in store.kinds.all() if kind.namespaced]
        left = [(kind, obj) for kind in known for obj in store.listed(kind, name)]
        for kind, obj in left:
            if not is_terminating(obj):
                delete(store, kind, obj, {"propagationPolicy": "Background"})
        if not any(store.listed(kind, name) for kind in known):
            store.remove(kinds.NAMESPACE, "", name)
