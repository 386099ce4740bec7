"""Who owns which field: the entries of `metadata.managedFields`."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from deployments.sandbox import fields
from deployments.sandbox.fields import Trie
from deployments.sandbox.objects import Object, timestamp, with_metadata
from deployments.sandbox.schema import Node

_UNOWNED: Trie = {
    "f:apiVersion": {".": {}},
    "f:kind": {".": {}},
    "f:metadata": {
        ".": {},
        **{
            f"f:{name}": {".": {}}
            for name in (
                "name",
                "namespace",
                "creationTimestamp",
                "uid",
                "generation",
                "managedFields",
                "resourceVersion",
                "deletionTimestamp",
                "deletionGracePeriodSeconds",
            )
        },
    },
}


@dataclass(frozen=True, slots=True)
class Writer:
    """Who writes: a field manager, how (`Apply` or `Update`), and through which subresource."""

    manager: str
    operation: str
    api_version: str
    subresource: str = ""

    def text(self, time: str) -> str:
        """As an apply conflict names it."""
        words = json.dumps(self.manager)
        if self.subresource:
            words += f' with subresource "{self.subresource}"'
        if self.operation == "Update":
            words += f" using {self.api_version} at {time}"
        return words


@dataclass(frozen=True, slots=True)
class Owned:
    """The fields of one writer. `raw` is the encoded set as long as it did not change."""

    trie: Trie
    time: str


Owners = dict[Writer, Owned]


def owners_of(obj: Object) -> Owners:
    out: Owners = {}
    for entry in obj["metadata"].get("managedFields", ()):
        writer = Writer(entry["manager"], entry["operation"], entry["apiVersion"], entry.get("subresource", ""))
        out[writer] = Owned(fields.decode(entry["fieldsV1"]), entry.get("time", ""))
    return out


def with_owners(obj: Object, owners: Owners) -> Object:
    ordered = sorted(
        ((writer, owned) for writer, owned in owners.items() if owned.trie),
        key=lambda pair: (pair[0].operation, pair[1].time, pair[0].manager, pair[0].subresource),
    )
    entries = [_entry(writer, owned) for writer, owned in ordered]
    return with_metadata(obj, managedFields=entries or None)


def _entry(writer: Writer, owned: Owned) -> Object:
    entry: Object = {
        "manager": writer.manager,
        "operation": writer.operation,
        "apiVersion": writer.api_version,
        "time": owned.time,
        "fieldsType": "FieldsV1",
        "fieldsV1": fields.encode(owned.trie),
    }
    return {**entry, "subresource": writer.subresource} if writer.subresource else entry


def ownable(trie: Trie, *, ignore: Iterable[str] = ()) -> Trie:
    """Without what nobody owns, and without the top-level fields of `ignore` (another endpoint writes those)."""
    kept = fields.subtract(trie, _UNOWNED)
    return {key: child for key, child in kept.items() if key.removeprefix("f:") not in set(ignore)}


def without_owners(obj: Object) -> Object:
    return with_metadata(obj, managedFields=None)


def record_update(old: Object | None, new: Object, node: Node, writer: Writer, *, ignore: Iterable[str] = ()) -> Object:
    """`new` with ownership brought up to date after an ordinary write by `writer`."""
    before: Object = without_owners(old) if old else {"metadata": {}}
    difference = fields.compare(before, without_owners(new), node)
    changed = ownable(difference.changed, ignore=ignore)
    removed = ownable(difference.removed, ignore=ignore)
    previous = old["metadata"].get("managedFields") if old else None
    if not changed and not removed:
        return with_metadata(new, managedFields=previous)
    owners = owners_of(old) if old else {}
    lost = fields.union(changed, removed)
    owners = {
        other: owned if other == writer else replace(owned, trie=fields.subtract(owned.trie, lost))
        for other, owned in owners.items()
    }
    mine = fields.subtract(owners[writer].trie, removed) if writer in owners else {}
    if changed:
        owners[writer] = Owned(fields.union(mine, changed), timestamp())
    elif mine:
        owners[writer] = replace(owners[writer], trie=mine)
    return with_owners(new, {who: owned for who, owned in owners.items() if owned.trie})


def same_apart_from_times(left: Any, right: Any) -> bool:
    """Whether two objects are equal when the times of their ownership entries are left out."""

    def bare(obj: Object) -> Object:
        entries = obj["metadata"].get("managedFields", ())
        timeless = [{key: value for key, value in entry.items() if key != "time"} for entry in entries]
        return with_metadata(obj, managedFields=timeless)

    return bool(bare(left) == bare(right))
