"""Brings the rendered objects out as a revision of a Helm release: once, and never over a newer deployment."""

import base64
import time
from collections.abc import Mapping
from typing import Any

from deployments.targets.base import Errored, Failed, Running, StepResult, Succeeded, Work
from deployments.targets.helm import archive, process, rendering, storage, words
from deployments.targets.helm.storage import Revision
from deployments.targets.kubernetes import objects
from deployments.targets.kubernetes.cluster import Cluster
from deployments.targets.kubernetes.errors import ClusterError, Refused
from deployments.targets.kubernetes.fence import Superseded
from deployments.targets.kubernetes.kubeconfig import read_kubeconfig
from deployments.targets.kubernetes.parallel import parallel
from deployments.targets.kubernetes.wording import clean, listed, sentence

# Somebody else's Helm is given this long before a pending revision counts as left behind (Helm's own limit is 300 s).
FOREIGN_PATIENCE_SECONDS = 600
LOOK_AGAIN_SECONDS = 5.0
RIGHTS = ("get", "list", "create", "update", "patch", "delete")


def newest_of(cluster: Cluster, work: Work) -> Revision | None:
    return storage.newest(cluster, work.namespace, rendering.release_name(work))


def refuse_if_newer(revision: Revision | None, work: Work) -> None:
    """Raises Superseded when a newer deployment of the same target has written the release."""
    if revision is not None and revision.is_newer_than(work):
        raise Superseded(
            f"A newer deployment (number {revision.sequence}) has already written the Helm release "
            f"{rendering.release_name(work)}; this one (number {work.sequence}) leaves it alone."
        )


def missing_rights(cluster: Cluster, work: Work) -> str:
    """Helm keeps its records as Secrets; empty when it may."""
    answers = parallel(lambda verb: cluster.is_allowed(verb, "", "secrets", work.namespace), RIGHTS)
    missing = []
    for verb, answer in zip(RIGHTS, answers, strict=True):
        if isinstance(answer, ClusterError):
            raise answer
        missing += [] if answer else [verb]
    if not missing:
        return ""
    return (
        f"Helm keeps its records as Secrets, and the cluster's credentials may not {listed(missing)} secrets in the "
        f"namespace “{work.namespace}”."
    )


def bring_out(cluster: Cluster, work: Work) -> StepResult:
    """Looks first: a revision of this very deployment that is deployed is its own success from before a crash."""
    name = rendering.release_name(work)
    revision = newest_of(cluster, work)
    refuse_if_newer(revision, work)
    if revision is not None and revision.deployment_id == work.deployment_id and revision.status == storage.DEPLOYED:
        return Succeeded(f"Helm had already brought out revision {revision.number} of {name}.")
    log: list[str] = []
    if revision is not None and revision.is_pending:
        if not _is_left_behind(revision):
            return Running(
                f"Somebody else's Helm is at work on {name} ({revision.status}, revision {revision.number}).",
                retry_after_seconds=LOOK_AGAIN_SECONDS,
            )
        storage.mark_failed(cluster, revision)
        log.append(f"Revision {revision.number} of {name} was left {revision.status}; it is marked as failed.")
    packed = archive.chart_of(work.objects, _metadata(work))
    try:
        done = process.apply(request(work, packed, is_upgrade=revision is not None))
    except process.HelmGone as error:
        return Errored(str(error), log=tuple(log))
    except process.HelmFailed as error:
        return verdict_on(error, work, "apply the chart", tuple(log))
    count = f"{len(work.objects)} {'object' if len(work.objects) == 1 else 'objects'}"
    log += [f"{objects.title(item)}: {'a hook' if rendering.is_hook(item) else 'applied'}" for item in work.objects]
    return Succeeded(f"Helm brought out revision {done['revision']} of {name}: {count}.", log=tuple(log))


def _is_left_behind(revision: Revision) -> bool:
    """Ours always is: one deployment of a target runs at a time, and its Helm ends with the worker that started it."""
    return revision.is_ours or time.time() - revision.changed_at > FOREIGN_PATIENCE_SECONDS


def may_upgrade(revision: Revision | None) -> bool:
    """Whether a dry run of an upgrade can work: Helm refuses it over a pending revision, and over none."""
    return revision is not None and not revision.is_pending and revision.status != "uninstalled"


def request(work: Work, packed: bytes, *, is_upgrade: bool) -> dict[str, Any]:
    """What the worker needs. Raises InvalidKubeconfig or Refused."""
    return {
        "kubeconfig": _kubeconfig(work),
        "namespace": work.namespace,
        "release": rendering.release_name(work),
        "chart": base64.b64encode(packed).decode(),
        "values": rendering.values_of(work),
        "is_upgrade": is_upgrade,
        "labels": storage.labels_of(work),
        "description": f"{work.application} {work.version}, deployment {work.deployment_id} (number {work.sequence})",
    }


def verdict_on(error: process.HelmFailed, work: Work, doing: str, log: tuple[str, ...] = ()) -> Failed | Errored:
    """Helm's refusal as a result: what may pass is tried again, and secrets stay out of the sentence."""
    told = words.without_secrets(str(error), [rendering.values_of(work), *work.objects])
    message = sentence(f"Helm could not {doing}: {clean(told, limit=1000)}")
    if words.may_pass(error.kind, told):
        return Errored(message, log=log)
    return Failed(message, log=log)


def _metadata(work: Work) -> Mapping[str, Any]:
    chart = work.chart or {}
    return {"name": chart.get("name") or rendering.release_name(work), "version": chart.get("version") or "0.0.0"}


def _kubeconfig(work: Work) -> dict[str, Any]:
    """Checked like every other use of it, so that no program that it names is ever run. Raises InvalidKubeconfig."""
    credentials = read_kubeconfig(work.connection.kubeconfig)
    if credentials.token and not credentials.server.startswith("https://"):
        raise Refused(
            f"Helm sends a token over TLS only, and {credentials.server} is plain HTTP. Register the cluster by its "
            "https address."
        )
    return dict(work.connection.kubeconfig)
