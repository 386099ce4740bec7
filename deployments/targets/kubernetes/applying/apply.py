"""Brings the objects to the cluster, fenced: a zombie never overwrites what a newer deployment has written."""

import random
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from deployments.targets.base import Errored, Manifest, Running, StepResult, Succeeded, Work
from deployments.targets.kubernetes import objects
from deployments.targets.kubernetes.applying import definitions, fence
from deployments.targets.kubernetes.applying.writing import Writing, Written
from deployments.targets.kubernetes.wire.cluster import Cluster
from deployments.targets.kubernetes.wire.errors import ClusterError, Modified, OwnedByOthers, as_result, conflicts_of

ATTEMPTS = 6
# Writes one object on condition that it still has this resourceVersion (empty: whatever it has).
Write = Callable[[Manifest, str], Manifest]
_Bring = Callable[[Manifest], Written]


def apply_objects(cluster: Cluster, work: Work, *, write: Write | None = None) -> StepResult:
    """Server-side apply of each object in order, unless `write` does it otherwise. Stops at the first that fails: the
    rest may depend on it.

    Called again after a crash it applies the same objects again, which changes nothing that is already there: the
    generation stays, so no second rollout starts.
    """
    log: list[str] = []
    marks: dict[str, dict[str, Any]] = {}
    try:
        bring = _with(write, cluster, work) if write else Writing(cluster, work).write
    except ClusterError as error:
        return as_result(error)
    for item in work.objects:
        try:
            written = definitions.patiently(partial(_bring_fenced, item, bring), item, work.objects)
            log.append(_told(item, written))
            marks[objects.title(item)] = _mark(written.after)
            definitions.wait_until_served(cluster, item)
        except ClusterError as error:
            if definitions.is_too_early(error, item, work.objects):
                return Running(f"{objects.title(item)}: its kind is not served yet.", retry_after_seconds=1.0)
            return _stopped(error, item, log)
    count = f"{len(work.objects)} {'object' if len(work.objects) == 1 else 'objects'}"
    return Succeeded(f"Applied {count} to {work.namespace}.", checkpoint={"written": marks}, log=tuple(log))


def _with(write: Write, cluster: Cluster, work: Work) -> _Bring:
    """The same fence around another way to write."""

    def bring(item: Manifest) -> Written:
        live = cluster.get(str(item["apiVersion"]), str(item["kind"]), work.namespace, objects.name_of(item))
        fence.refuse_if_newer(live, work)
        former = fence.taken_over_from(live, work)
        after = write(item, str(objects.metadata(live).get("resourceVersion", "")) if live else "")
        return Written(live, after, (f"taken over from {former}",) if former else ())

    return bring


def _bring_fenced(item: Manifest, bring: _Bring) -> Written:
    """Writes on condition that nothing changed since the object was read; looks again when something has."""
    for attempt in range(ATTEMPTS):
        try:
            return bring(item)
        except Modified:
            # Controllers write the status all the time; only who wrote last matters, so look again.
            if attempt == ATTEMPTS - 1:
                raise
            time.sleep(random.uniform(0.005, 0.02) * (attempt + 1))  # noqa: S311 - jitter, not a secret
    raise AssertionError("unreachable: the last attempt returns or raises")


def _told(item: Manifest, written: Written) -> str:
    return ", ".join((f"{objects.title(item)}: {_outcome(written.before, written.after)}", *written.notes))


def _mark(after: Manifest) -> dict[str, Any]:
    """By which an older state of the object is known as such."""
    return {name: objects.metadata(after).get(name) for name in ("uid", "generation")}


def _outcome(live: Manifest | None, written: Manifest) -> str:
    if live is None:
        return "created"
    before, after = objects.metadata(live), objects.metadata(written)
    if before.get("resourceVersion") == after.get("resourceVersion"):
        return "unchanged"
    if before.get("generation") == after.get("generation") and "generation" in after:
        return "annotated, nothing to roll out"
    return "changed"


def _stopped(error: ClusterError, item: Manifest, log: list[str]) -> StepResult:
    result = as_result(error)
    if isinstance(result, Errored):
        return replace(result, log=tuple(log))
    evidence = {"conflicts": conflicts_of(item, error)} if isinstance(error, OwnedByOthers) else result.evidence
    return replace(result, evidence=evidence, log=tuple(log))
