"""What following a cluster tells, and how one line of a watch becomes it. Pure."""

import json
from collections.abc import Mapping
from typing import Any

from msgspec import MsgspecError, Raw, Struct

from deployments.targets.kubernetes.following import decoding, sightings
from deployments.targets.kubernetes.following.decoding import Metadata
from deployments.targets.kubernetes.following.sightings import Sight
from deployments.targets.kubernetes.judging.revisions import TEMPLATE_HASH
from deployments.targets.kubernetes.objects import labels, metadata, name_of, owner

BOOKMARK, ERROR, DELETED = "BOOKMARK", "ERROR", "DELETED"


class WatchedKind(Struct, frozen=True):
    """What to follow. Without a label selector: not everything that we roll out carries a label of ours."""

    api_version: str
    kind: str


DEPLOYMENTS = WatchedKind("apps/v1", "Deployment")
STATEFUL_SETS = WatchedKind("apps/v1", "StatefulSet")
DAEMON_SETS = WatchedKind("apps/v1", "DaemonSet")
JOBS = WatchedKind("batch/v1", "Job")
PODS = WatchedKind("v1", "Pod")


class Change(Struct, frozen=True, gc=False):
    """One object was ADDED, MODIFIED or DELETED (`type`), or was found by a list (LISTED).

    `workload` is the kind and name of what a person deployed: a pod's Deployment rather than its ReplicaSet. `sight` is
    None when the object has a shape that we can't read.
    """

    kind: str
    namespace: str
    name: str
    version: str
    type: str
    workload: tuple[str, str]
    sight: Sight | None


class Relisted(Struct, frozen=True):
    """Everything of the kind that there is now, also at the start; changes before it may have been missed."""

    kind: str
    objects: tuple[Change, ...] = ()


class Lost(Struct, frozen=True):
    """The cluster can't be followed now; trying goes on. Told once for each outage."""

    message: str


class Restored(Struct, frozen=True):
    """Following again after `Lost`; nothing was missed unless `Relisted` comes as well."""

    kind: str


class Refusal(Struct, frozen=True):
    """We may not list and watch this here, or the cluster does not serve it. Asked again now and then; told once."""

    message: str


Notice = Change | Relisted | Lost | Restored | Refusal


class Unreadable(ValueError):
    """A line of a watch that is no event."""


class Reported(Exception):
    """The cluster ends a watch with an error. `code` is the HTTP status that it means."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def read_event(kind: str, line: bytes) -> Change:
    """A bookmark is a change of type BOOKMARK. Raises Unreadable, and Reported for an ERROR."""
    try:
        event = decoding.event(kind, line)
    except (MsgspecError, RecursionError):
        return _loosely(kind, line)
    if event.type == ERROR:
        return _loosely(kind, line)
    return _change(kind, event.type, event.object)


def read_item(kind: str, raw: bytes | Raw) -> Change:
    """One item of a list. Raises Unreadable."""
    try:
        return _change(kind, "LISTED", decoding.item(kind, raw))
    except (MsgspecError, RecursionError):
        return _loose_change(kind, "LISTED", _parsed(bytes(raw)))


def _change(kind: str, event_type: str, item: decoding.Workload | decoding.Pod) -> Change:
    meta = item.metadata
    sight: Sight
    if isinstance(item, decoding.Pod):
        workload, sight = _owner(kind, meta), sightings.of_pod(item)
    else:
        workload, sight = (kind, meta.name), sightings.of_workload(kind, item)
    return Change(kind, meta.namespace, meta.name, meta.resource_version, event_type, workload, sight)


def _owner(kind: str, meta: Metadata) -> tuple[str, str]:
    for reference in meta.owner_references or ():
        if reference.controller:
            template_hash = meta.labels.template_hash if meta.labels else ""
            return _deployed(reference.kind, reference.name, template_hash)
    return kind, meta.name


def _deployed(owner_kind: str, owner_name: str, template_hash: str) -> tuple[str, str]:
    if owner_kind == "ReplicaSet" and template_hash and owner_name.endswith(f"-{template_hash}"):
        return "Deployment", owner_name.removesuffix(f"-{template_hash}")
    return owner_kind, owner_name


def _loosely(kind: str, line: bytes) -> Change:
    """Of an event of an unusual shape at least whose it is, so that somebody can look at the object."""
    event = _parsed(line)
    item = event.get("object")
    if not isinstance(item, Mapping):
        raise Unreadable("It is no event.")
    if event.get("type") == ERROR:
        code = item.get("code")
        raise Reported(code if isinstance(code, int) else 0, str(item.get("message") or ""))
    return _loose_change(kind, str(event.get("type")), item)


def _loose_change(kind: str, event_type: str, item: Mapping[str, Any]) -> Change:
    meta = metadata(item)
    version = meta.get("resourceVersion")
    version = version if isinstance(version, str) else ""
    if event_type != BOOKMARK and not name_of(item):
        raise Unreadable("It has no name.")
    workload = (kind, name_of(item))
    references = meta.get("ownerReferences")
    reference = owner(item) if isinstance(references, list) else {}
    if kind == decoding.POD and reference:
        owner_kind, owner_name = str(reference.get("kind", "")), str(reference.get("name", ""))
        workload = _deployed(owner_kind, owner_name, str(labels(item).get(TEMPLATE_HASH, "")))
    return Change(kind, str(meta.get("namespace", "")), name_of(item), version, event_type, workload, None)


def _parsed(data: bytes) -> Mapping[str, Any]:
    try:
        parsed = json.loads(data.decode("utf-8", "replace"))
    except (ValueError, RecursionError) as error:
        raise Unreadable(str(error)) from None
    if not isinstance(parsed, Mapping):
        raise Unreadable("It is no object.")
    return parsed
