"""The objects, their versions and the recent past that watches resume from."""

import json
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from deployments.sandbox.custom import KnownKinds, is_established
from deployments.sandbox.errors import expired
from deployments.sandbox.kinds import DEFINITION, Kind
from deployments.sandbox.objects import Object, name_of, namespace_of, with_metadata

ChangeType = Literal["ADDED", "MODIFIED", "DELETED"]

# Changes of one kind that are kept for watches; older starting points are answered with 410.
HISTORY = 2048


@dataclass(slots=True, eq=False)
class Change:
    """One write. `previous` is the object before it; the JSON is made once for all watches."""

    type: ChangeType
    kind: Kind
    version: int
    object: Object
    previous: Object | None
    _lines: dict[str, bytes] = field(default_factory=dict)

    def line(self, as_type: str) -> bytes:
        if as_type not in self._lines:
            self._lines[as_type] = event_line(as_type, self.object)
        return self._lines[as_type]


def event_line(event_type: str, obj: Object) -> bytes:
    return json.dumps({"type": event_type, "object": obj}, separators=(",", ":")).encode() + b"\n"


class History:
    """The last changes of one kind. `floor`: the newest version that is no longer known."""

    def __init__(self, floor: int, limit: int) -> None:
        self.floor = floor
        self._limit = limit
        self._changes: deque[Change] = deque()

    def add(self, change: Change) -> None:
        self._changes.append(change)
        if len(self._changes) > self._limit:
            self.floor = self._changes.popleft().version

    def after(self, version: int, current: int) -> list[Change]:
        """The changes after a version. Raises ApiError 410 when some of them are forgotten."""
        if version < self.floor:
            raise expired(version, current)
        return [change for change in self._changes if change.version > version]


class Store:
    """Objects by kind, namespace and name. Only the event loop's thread may touch it."""

    def __init__(self, *, history: int = HISTORY) -> None:
        self.version = 1
        self.kinds = KnownKinds()
        self._history_limit = history
        self._objects: dict[Kind, dict[tuple[str, str], Object]] = {}
        self._histories: dict[Kind, History] = {}
        self._floor = 0
        self._owned: dict[str, set[tuple[Kind, str, str]]] = {}
        self.listeners: list[Callable[[Change], None]] = []

    def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        return self._objects.get(kind, {}).get((namespace, name))

    def listed(self, kind: Kind, namespace: str = "") -> list[Object]:
        """Ordered by namespace and name; an empty namespace means all of them."""
        found = self._objects.get(kind, {})
        keys = sorted(key for key in found if not namespace or key[0] == namespace)
        return [found[key] for key in keys]

    def put(self, kind: Kind, obj: Object) -> Object:
        """Write an object; returns it with its new version. An equal object is not written again."""
        key = (namespace_of(obj), name_of(obj))
        previous = self._objects.get(kind, {}).get(key)
        self.version += 1
        obj = with_metadata(obj, resourceVersion=str(self.version))
        self._objects.setdefault(kind, {})[key] = obj
        self._index(kind, obj, previous)
        self._publish(Change("MODIFIED" if previous else "ADDED", kind, self.version, obj, previous))
        return obj

    def remove(self, kind: Kind, namespace: str, name: str) -> Object | None:
        obj = self._objects.get(kind, {}).pop((namespace, name), None)
        if obj is None:
            return None
        for uid in _owners(obj):
            self._owned[uid].discard((kind, namespace, name))
        self.version += 1
        gone = with_metadata(obj, resourceVersion=str(self.version))
        self._publish(Change("DELETED", kind, self.version, gone, obj))
        return gone

    def owned_by(self, uid: str, kind: Kind | None = None) -> list[Object]:
        """The objects whose ownerReferences name this uid, of one kind or of all, in order of their names."""
        keys = sorted((key for key in self._owned.get(uid, ()) if kind in (None, key[0])), key=lambda key: key[1:])
        return [self._objects[owned][(namespace, name)] for owned, namespace, name in keys]

    def changes_after(self, kind: Kind, version: int) -> list[Change]:
        return self._history(kind).after(version, self.version)

    def forget_changes(self) -> None:
        """Drop the past, as a restart or a compaction does: watches from older versions are answered with 410."""
        self._floor = self.version
        self._histories.clear()

    def objects(self) -> Iterator[Object]:
        for found in self._objects.values():
            yield from found.values()

    def snapshot(self) -> list[Change]:
        """Every object as if it had just been added, oldest first."""
        found = [
            Change("ADDED", kind, int(obj["metadata"]["resourceVersion"]), obj, None)
            for kind, objects in self._objects.items()
            for obj in objects.values()
        ]
        return sorted(found, key=lambda change: change.version)

    def dump(self) -> dict[str, Any]:
        return {"resourceVersion": self.version, "objects": list(self.objects())}

    def load(self, dumped: dict[str, Any]) -> None:
        """Take over a dump. No listener hears of it."""
        self.version = int(dumped["resourceVersion"])
        for obj in sorted(dumped["objects"], key=lambda obj: obj["kind"] != DEFINITION.kind):
            kind = self.kinds.by_name(obj["apiVersion"], obj["kind"])
            if kind is DEFINITION and is_established(obj):
                self.kinds.define(obj)
            self._objects.setdefault(kind, {})[(namespace_of(obj), name_of(obj))] = obj
            self._index(kind, obj, None)
        self.forget_changes()

    def _index(self, kind: Kind, obj: Object, previous: Object | None) -> None:
        key = (kind, namespace_of(obj), name_of(obj))
        before, after = _owners(previous) if previous else set(), _owners(obj)
        for uid in before - after:
            self._owned[uid].discard(key)
        for uid in after - before:
            self._owned.setdefault(uid, set()).add(key)

    def _history(self, kind: Kind) -> History:
        return self._histories.setdefault(kind, History(self._floor, self._history_limit))

    def _publish(self, change: Change) -> None:
        self._history(change.kind).add(change)
        for listener in tuple(self.listeners):
            listener(change)


def _owners(obj: Object) -> set[str]:
    return {ref["uid"] for ref in obj["metadata"].get("ownerReferences", ())}
