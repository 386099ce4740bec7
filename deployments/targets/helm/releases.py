"""Brings the rendered objects out as a revision of a Helm release: once, and never over a newer deployment."""

import base64
import time
from collections.abc import Mapping
from typing import Any

from deployments.targets.base import Errored, Failed, Manifest, Running, StepResult, Succeeded, Work
from deployments.targets.helm import archive, process, rendering, storage, words
from deployments.targets.helm.storage import Revision
from deployments.targets.kubernetes import objects
from deployments.targets.kubernetes.applying.fence import Superseded
from deployments.targets.kubernetes.applying.writing import Writing
from deployments.targets.kubernetes.wire import granted
from deployments.targets.kubernetes.wire.cluster import Cluster
from deployments.targets.kubernetes.wire.errors import ClusterError, Refused
from deployments.targets.kubernetes.wire.kubeconfig import read_kubeconfig
from deployments.targets.kubernetes.wire.parallel import parallel
from deployments.targets.kubernetes.wording import clean, listed, sentence

# Somebody else's Helm is given this long before a pending revision counts as left behind (Helm's own limit is 300 s).
FOREIGN_PATIENCE_SECONDS = 600
LOOK_AGAIN_SECONDS = 2.0
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
    answers = parallel(lambda verb: granted.is_allowed(cluster, verb, "", "secrets", work.namespace), RIGHTS)
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
    """Looks first: a revision of this very deployment tells what became of it, also when nobody waited for its end."""
    revision = newest_of(cluster, work)
    refuse_if_newer(revision, work)
    known = _what_is_known(revision, work)
    if known is not None:
        return known
    log: tuple[str, ...] = ()
    if revision is not None and revision.is_pending:
        storage.mark_failed(cluster, revision)
        log = (f"Revision {revision.number} of {_name(work)} was left {revision.status}; it is marked as failed.",)
        if _is_alive(revision):
            return _wait(f"An earlier Helm is at work on {_name(work)}, and was told to end.", log)
    log += _taken_over(cluster, work)
    return _asked(work, log, is_upgrade=revision is not None)


def _taken_over(cluster: Cluster, work: Work) -> tuple[str, ...]:
    """Helm can't be told which fields of others it may take; but its field manager is ours, so we take them first."""
    hooks = [item for item in work.objects if rendering.is_hook(item)]
    if not work.take_over or hooks:
        return ()
    writing = Writing(cluster, work)
    written = [(item, writing.write(item)) for item in work.objects if _exists(cluster, item, work)]
    return tuple(f"{objects.title(item)}: {note}" for item, done in written for note in done.notes)


def _exists(cluster: Cluster, item: Manifest, work: Work) -> bool:
    return cluster.get(str(item["apiVersion"]), str(item["kind"]), work.namespace, objects.name_of(item)) is not None


def _what_is_known(revision: Revision | None, work: Work) -> StepResult | None:
    """What the newest revision tells without doing anything; None when there is something to do."""
    if revision is None:
        return None
    is_own = revision.deployment_id == work.deployment_id
    if is_own and revision.status == storage.DEPLOYED:
        return Succeeded(f"Helm brought out revision {revision.number} of {_name(work)}.")
    if is_own and revision.status == storage.FAILED and revision.description() not in ("", storage.INTERRUPTED):
        # Helm's own verdict, which nobody had waited for.
        told = verdict_on(process.HelmFailed("HelmReleaseError", revision.description()), work, "apply the chart")
        return told if isinstance(told, Failed) else None
    if revision.status == storage.FAILED and revision.is_ours and _is_alive(revision):
        return _wait(f"An earlier Helm is at work on {_name(work)}, and was told to end.")
    if revision.is_pending and is_own and _is_alive(revision):
        return _wait(f"Helm waits for the hooks of {_name(work)} ({revision.status}, revision {revision.number}).")
    if revision.is_pending and not revision.is_ours and time.time() - revision.changed_at <= FOREIGN_PATIENCE_SECONDS:
        return _wait(f"Somebody else's Helm is at work on {_name(work)} ({revision.status}).")
    return None


def _is_alive(revision: Revision) -> bool:
    """Whether a worker that stayed gave a sign of life just now. Others of ours end with the one who asked."""
    return bool(revision.alive_at) and time.time() - revision.alive_at <= storage.SILENT_SECONDS


def _wait(message: str, log: tuple[str, ...] = ()) -> Running:
    return Running(message, retry_after_seconds=LOOK_AGAIN_SECONDS, log=log)


def _asked(work: Work, log: tuple[str, ...], *, is_upgrade: bool) -> StepResult:
    packed = archive.chart_of(work.objects, _metadata(work))
    try:
        done = process.apply(request(work, packed, is_upgrade=is_upgrade))
    except process.HelmStays:
        return _wait(f"Helm waits for the hooks of {_name(work)}.", log)
    except process.HelmGone as error:
        return Errored(str(error), log=log)
    except process.HelmFailed as error:
        return verdict_on(error, work, "apply the chart", log)
    count = f"{len(work.objects)} {'object' if len(work.objects) == 1 else 'objects'}"
    told = [f"{objects.title(item)}: {'a hook' if rendering.is_hook(item) else 'applied'}" for item in work.objects]
    return Succeeded(f"Helm brought out revision {done['revision']} of {_name(work)}: {count}.", log=(*log, *told))


def _name(work: Work) -> str:
    return rendering.release_name(work)


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
