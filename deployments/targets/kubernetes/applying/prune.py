"""Removes what earlier deployments of a target brought and its release no longer contains.

Only what a person saw and asked for (`work.prune`), and of that only what carries our mark of this target and was not
written by a newer deployment. Each object goes as it was read, or stays.
"""

from collections.abc import Mapping
from typing import Any

from deployments.targets.base import Failed, Manifest, StepResult, Succeeded, Work
from deployments.targets.guardrails import read
from deployments.targets.kubernetes import objects
from deployments.targets.kubernetes.applying import fence
from deployments.targets.kubernetes.rendering import render
from deployments.targets.kubernetes.wire.cluster import Cluster
from deployments.targets.kubernetes.wire.errors import Modified, NotFound, Refused, UnknownKind
from deployments.targets.kubernetes.wording import listed

MOST_OBJECTS = 100
ATTEMPTS = 6


class _Stays(Exception):
    """Why an object is left alone, completing "ConfigMap web stays: …"."""


def prune(cluster: Cluster, work: Work) -> StepResult:
    """Idempotent: what is gone already counts as removed. What has to stay is told in the log, never a failure."""
    if len(work.prune) > MOST_OBJECTS:
        return Failed(f"{len(work.prune)} objects to remove are more than the {MOST_OBJECTS} that are removed at once.")
    log: list[str] = []
    stay = []
    for item in _in_order(work):
        try:
            log.append(_remove(cluster, item, work))
        except (_Stays, Refused) as error:
            stay.append(objects.title(item))
            log.append(f"{objects.title(item)} stays: {error}")
    removed = len(work.prune) - len(stay)
    told = f"Removed {removed} of {len(work.prune)} {'object' if len(work.prune) == 1 else 'objects'}"
    return Succeeded(f"{told}; {listed(stay)} stayed." if stay else f"{told}.", log=tuple(log))


def announced(cluster: Cluster, work: Work) -> list[str]:
    """What will be removed and what will stay, in words. Raises a ClusterError when the cluster can't tell."""
    told = []
    for item in _in_order(work)[:MOST_OBJECTS]:
        try:
            live = _removable(cluster, item, work)
            told.append(f"{objects.title(item)} {'will be removed after the rollout' if live else 'is gone already'}.")
        except _Stays as error:
            told.append(f"{objects.title(item)} stays: {error}")
    return told


def is_removable(cluster: Cluster, entry: Mapping[str, Any], work: Work) -> bool:
    """Whether an object of `work.prune` is still there and would be removed. Raises a ClusterError."""
    try:
        return _removable(cluster, _as_object(entry), work) is not None
    except _Stays:
        return False


def _in_order(work: Work) -> list[Manifest]:
    """As objects, what others need last."""
    items = [_as_object(entry) for entry in work.prune]
    return sorted(items, key=render.order, reverse=True)


def _as_object(entry: Mapping[str, Any]) -> Manifest:
    return {"apiVersion": str(entry["apiVersion"]), "kind": str(entry["kind"]), "metadata": {"name": entry["name"]}}


def _remove(cluster: Cluster, item: Manifest, work: Work) -> str:
    for attempt in range(ATTEMPTS):
        live = _removable(cluster, item, work)
        if live is None:
            return f"{objects.title(item)} is gone already."
        try:
            cluster.delete(live, work.namespace)
            return f"{objects.title(item)}: removed."
        except NotFound:
            return f"{objects.title(item)} is gone already."
        except Modified:
            # Somebody wrote it meanwhile; whether it is still ours to remove has to be seen again.
            if attempt == ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable: the last attempt returns or raises")


def _removable(cluster: Cluster, item: Manifest, work: Work) -> Manifest | None:
    """The live object, or None when there is nothing to remove (any more). Raises _Stays."""
    rails = read(work.guardrails)
    if objects.identity(item) in {objects.identity(each) for each in work.objects}:
        raise _Stays("the release contains it.")
    if not rails.may_prune(*objects.group_kind(item)):
        raise _Stays("what it holds would be lost. An operator has to list its kind in the guardrails (prune).")
    try:
        live = cluster.get(str(item["apiVersion"]), str(item["kind"]), work.namespace, objects.name_of(item))
    except UnknownKind:
        return None
    if live is None or objects.metadata(live).get("deletionTimestamp"):
        return None
    if not fence.is_ours(live, work):
        raise _Stays("it does not carry this target's mark; somebody else has taken it over.")
    try:
        fence.refuse_if_newer(live, work)
    except fence.Superseded as error:
        raise _Stays(str(error)) from None
    return live
