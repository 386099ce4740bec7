"""Brings the objects to the cluster, fenced: a zombie never overwrites what a newer deployment has written."""

import random
import time
from collections.abc import Callable

from deployments.targets.base import Errored, Failed, Manifest, StepResult, Succeeded, Work
from deployments.targets.kubernetes import fence, objects
from deployments.targets.kubernetes.cluster import Cluster
from deployments.targets.kubernetes.errors import ClusterError, Modified, as_result

ATTEMPTS = 6
# Writes one object on condition that it still has this resourceVersion (empty: whatever it has).
Write = Callable[[Manifest, str], Manifest]


def apply_objects(cluster: Cluster, work: Work, *, write: Write | None = None) -> StepResult:
    """Server-side apply of each object in order, unless `write` does it otherwise. Stops at the first that fails: the
    rest may depend on it.

    Called again after a crash it applies the same objects again, which changes nothing that is already there: the
    generation stays, so no second rollout starts.
    """
    log: list[str] = []
    for item in work.objects:
        try:
            log.append(_apply_fenced(cluster, item, work, write))
        except ClusterError as error:
            return _with_log(as_result(error), log)
    count = f"{len(work.objects)} {'object' if len(work.objects) == 1 else 'objects'}"
    return Succeeded(f"Applied {count} to {work.namespace}.", log=tuple(log))


def _apply_fenced(cluster: Cluster, item: Manifest, work: Work, write: Write | None) -> str:
    """Reads the live object, checks the fence, and writes on condition that nothing changed in between.

    The condition is the resourceVersion that was read. An object that does not exist yet has none; there is no way to
    say "only if absent" in an apply, so between reading and creating a few milliseconds stay unfenced.
    """
    for attempt in range(ATTEMPTS):
        live = cluster.get(str(item["apiVersion"]), str(item["kind"]), work.namespace, objects.name_of(item))
        fence.refuse_if_newer(live, work)
        version = str(objects.metadata(live).get("resourceVersion", "")) if live else ""
        try:
            written = write(item, version) if write else cluster.apply(item, resource_version=version)
        except Modified:
            # Controllers write the status all the time; only who wrote last matters, so look again.
            if attempt == ATTEMPTS - 1:
                raise
            time.sleep(random.uniform(0.005, 0.02) * (attempt + 1))  # noqa: S311 - jitter, not a secret
            continue
        former = fence.taken_over_from(live, work)
        return f"{objects.title(item)}: {_outcome(live, written)}" + (f", taken over from {former}" if former else "")
    raise AssertionError("unreachable: the last attempt returns or raises")


def _outcome(live: Manifest | None, written: Manifest) -> str:
    if live is None:
        return "created"
    before, after = objects.metadata(live), objects.metadata(written)
    if before.get("resourceVersion") == after.get("resourceVersion"):
        return "unchanged"
    if before.get("generation") == after.get("generation") and "generation" in after:
        return "annotated, nothing to roll out"
    return "changed"


def _with_log(result: Failed | Errored, log: list[str]) -> StepResult:
    if isinstance(result, Failed):
        return Failed(result.message, evidence=result.evidence, log=tuple(log))
    return Errored(result.message, retry_after_seconds=result.retry_after_seconds, log=tuple(log))
