"""Helm's own records of a release: one Secret for each revision, which we read, and mark as failed when it is stuck."""

import base64
import binascii
import gzip
import io
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deployments.targets.base import Work
from deployments.targets.kubernetes.wire.cluster import Cluster

SECRET_TYPE = "helm.sh/release.v1"  # noqa: S105 - a type of Secret
DEPLOYMENT, SEQUENCE, TARGET = "releasemgr.dev/deployment", "releasemgr.dev/sequence", "releasemgr.dev/target"
ALIVE = "releasemgr.dev/helm-alive"
FAILED, DEPLOYED = "failed", "deployed"
# A pending revision of ours on which nothing has happened for so long has nobody who works on it.
SILENT_SECONDS = 10
INTERRUPTED = "Interrupted: the process that did this ended before it was done"
MOST_BYTES = 20 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Revision:
    """One revision of a release, by the labels of its Secret.

    `changed_at`, `alive_at`: when Helm last wrote it, and when a worker that stays last gave a sign of life; seconds
    since 1970, by the clock of the machine that Helm ran on.
    """

    number: int
    status: str
    deployment_id: str
    sequence: int
    target_id: str
    changed_at: int
    alive_at: int
    secret: Mapping[str, Any]

    @property
    def is_pending(self) -> bool:
        return self.status.startswith("pending-") or self.status == "uninstalling"

    @property
    def is_ours(self) -> bool:
        return bool(self.deployment_id)

    def is_newer_than(self, work: Work) -> bool:
        return self.target_id == work.target_id and self.sequence > work.sequence

    def description(self) -> str:
        """What Helm wrote about its end; empty when the record can't be read."""
        info = (_read(self.secret) or {}).get("info") or {}
        return str(info.get("description") or "")


def labels_of(work: Work) -> dict[str, str]:
    return {DEPLOYMENT: work.deployment_id, SEQUENCE: str(work.sequence), TARGET: work.target_id}


def newest(cluster: Cluster, namespace: str, release: str) -> Revision | None:
    """The last revision, whatever became of it; None when the release does not exist."""
    secrets = cluster.list("v1", "Secret", namespace, labels=f"owner=helm,name={release}")
    revisions = [_revision(secret) for secret in secrets if secret.get("type") == SECRET_TYPE]
    return max(revisions, key=lambda revision: revision.number, default=None)


def show_life(cluster: Cluster, revision: Revision) -> None:
    """Helm's next write of the record takes it away again, and is a sign of life itself."""
    meta = revision.secret["metadata"]
    annotations = {ALIVE: str(int(time.time()))}
    part = {"metadata": {"name": meta["name"], "namespace": meta["namespace"], "annotations": annotations}}
    cluster.merge({"apiVersion": "v1", "kind": "Secret", **part})


def mark_failed(cluster: Cluster, revision: Revision) -> None:
    """Ends a revision that nobody works on any more, as Helm itself would have.

    On condition that the record has not changed since it was read: raises Modified. What can't be read is given up as
    it is, by its label alone, which is what Helm selects by.
    """
    meta = revision.secret["metadata"]
    part: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": meta["name"], "namespace": meta["namespace"], "labels": {"status": FAILED}},
    }
    record = _read(revision.secret)
    if record is not None:
        record["info"] = {**(record.get("info") or {}), "status": FAILED, "description": INTERRUPTED}
        part["data"] = {"release": _written(record)}
    cluster.merge(part, str(meta["resourceVersion"]))


def _revision(secret: Mapping[str, Any]) -> Revision:
    labels = secret["metadata"].get("labels") or {}
    return Revision(
        number=_number(labels.get("version")),
        status=str(labels.get("status", "")),
        deployment_id=str(labels.get(DEPLOYMENT, "")),
        sequence=_number(labels.get(SEQUENCE)),
        target_id=str(labels.get(TARGET, "")),
        changed_at=_number(labels.get("modifiedAt") or labels.get("createdAt")),
        alive_at=_number((secret["metadata"].get("annotations") or {}).get(ALIVE)),
        secret=secret,
    )


def _number(text: object) -> int:
    return int(text) if isinstance(text, str) and text.isascii() and text.isdigit() else 0


def _read(secret: Mapping[str, Any]) -> dict[str, Any] | None:
    """Base64 of the API, base64 of Helm, gzip, JSON."""
    try:
        packed = base64.b64decode(base64.b64decode((secret.get("data") or {})["release"]))
        with gzip.GzipFile(fileobj=io.BytesIO(packed)) as zipped:
            record = json.loads(zipped.read(MOST_BYTES))
    except (KeyError, ValueError, EOFError, OSError, binascii.Error):
        return None
    return record if isinstance(record, dict) else None


def _written(record: Mapping[str, Any]) -> str:
    packed = gzip.compress(json.dumps(record).encode())
    return base64.b64encode(base64.b64encode(packed)).decode()
