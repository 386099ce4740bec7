"""What following a cluster tells, and how one line of a watch becomes it. Pure."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deployments.targets.kubernetes.objects import labels, metadata, name_of, owner
from deployments.targets.kubernetes.revisions import TEMPLATE_HASH

_EVENT_HEAD = re.compile(
    r'\{"type":\s*"(?P<type>[A-Z]+)",\s*"object":\s*\{(?:\s*"(?:kind|apiVersion)":\s*"[^"]*",)*\s*"metadata":\s*'
)
_decoder = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class WatchedKind:
    """What to follow, and with which label selector."""

    api_version: str
    kind: str
    labels: str = ""


DEPLOYMENTS = WatchedKind("apps/v1", "Deployment", "app.kubernetes.io/managed-by=releasemgr")
STATEFUL_SETS = WatchedKind("apps/v1", "StatefulSet", "app.kubernetes.io/managed-by=releasemgr")
DAEMON_SETS = WatchedKind("apps/v1", "DaemonSet", "app.kubernetes.io/managed-by=releasemgr")
JOBS = WatchedKind("batch/v1", "Job", "app.kubernetes.io/managed-by=releasemgr")
# Pods and ReplicaSets carry no label of ours: that would change the pod template.
PODS = WatchedKind("v1", "Pod")


@dataclass(frozen=True, slots=True)
class Change:
    """One object was ADDED, MODIFIED or DELETED (`type`).

    `owner` is the name of the controller that the object belongs to, empty without one. `workload` is the kind and
    name of what a person deployed: a pod's Deployment rather than its ReplicaSet.
    """

    kind: str
    namespace: str
    name: str
    owner: str
    type: str
    workload: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Relisted:
    """Changes may have been missed before this point (also at the start): look at everything once."""

    kind: str


@dataclass(frozen=True, slots=True)
class Lost:
    """The cluster can't be followed now; trying goes on. Told once for each outage."""

    message: str


@dataclass(frozen=True, slots=True)
class Restored:
    """Following again after `Lost`; nothing was missed unless `Relisted` comes as well."""

    kind: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """We may not list and watch this here, or the cluster does not serve it. Following has ended."""

    message: str


Notice = Change | Relisted | Lost | Restored | Refusal


def decode(line: bytes) -> tuple[str, Mapping[str, Any]]:
    """Type and metadata of one event. Only the metadata is parsed where the object is written in the usual order."""
    text = line.decode("utf-8", "replace")
    head = _EVENT_HEAD.match(text)
    if head is not None:
        meta, _ = _decoder.raw_decode(text, head.end())
        return head["type"], meta
    event = json.loads(text)
    return str(event["type"]), metadata(event["object"])


def change_of(kind: str, event_type: str, meta: Mapping[str, Any]) -> Change:
    """The change that an event's metadata tell of."""
    item = {"metadata": meta}
    reference = owner(item)
    owner_name = str(reference.get("name", ""))
    return Change(
        kind=kind,
        namespace=str(meta.get("namespace", "")),
        name=name_of(item),
        owner=owner_name,
        type=event_type,
        workload=_workload(kind, item, str(reference.get("kind", "")), owner_name),
    )


def _workload(kind: str, item: Mapping[str, Any], owner_kind: str, owner_name: str) -> tuple[str, str]:
    if owner_kind == "ReplicaSet":
        suffix = f"-{labels(item).get(TEMPLATE_HASH, '')}"
        if len(suffix) > 1 and owner_name.endswith(suffix):
            return "Deployment", owner_name.removesuffix(suffix)
    return (owner_kind, owner_name) if owner_name else (kind, name_of(item))
