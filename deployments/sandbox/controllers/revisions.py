"""Versions of a pod template: their hashes, and the ControllerRevisions that keep them."""

import json
from collections.abc import Collection

from deployments.sandbox import kinds
from deployments.sandbox.cluster import Cluster, WriteOptions
from deployments.sandbox.controllers.pods import MANAGER
from deployments.sandbox.deletion import delete
from deployments.sandbox.objects import (
    Object,
    fnv32a,
    name_of,
    namespace_of,
    owner_reference,
    safe_encode,
    uid_of,
)

HASH_LABEL = "pod-template-hash"
REVISION_LABEL = "controller-revision-hash"


def template_hash(template: Object) -> str:
    """Equal templates have equal hashes. The text differs from a real cluster's, where it hangs on Go's printing."""
    data = json.dumps(template, sort_keys=True, separators=(",", ":")).encode()
    return safe_encode(str(fnv32a(data)))


def bare_template(template: Object) -> Object:
    """A template without the hash label that the Deployment controller adds."""
    labels = {key: value for key, value in (template["metadata"].get("labels") or {}).items() if key != HASH_LABEL}
    return {**template, "metadata": {**template["metadata"], "labels": labels}}


def ensure_revision(cluster: Cluster, owner: Object) -> str:
    """The name of the ControllerRevision of the owner's template, created when it is new."""
    template = owner["spec"]["template"]
    digest = template_hash(template)
    name = f"{name_of(owner)}-{digest}"
    if cluster.store.get(kinds.CONTROLLER_REVISION, namespace_of(owner), name) is None:
        known = cluster.store.owned_by(uid_of(owner), kinds.CONTROLLER_REVISION)
        labels = {**(template["metadata"].get("labels") or {}), REVISION_LABEL: digest}
        body: Object = {
            "metadata": {"name": name, "labels": labels, "ownerReferences": [owner_reference(owner)]},
            "data": {"spec": {"template": {**template, "$patch": "replace"}}},
            "revision": max((item["revision"] for item in known), default=0) + 1,
        }
        options = WriteOptions(manager=MANAGER)
        cluster.create(kinds.CONTROLLER_REVISION, namespace_of(owner), body, options)
    return name


def template_of_revision(cluster: Cluster, owner: Object, name: str) -> Object:
    """The pod template that a revision keeps; the owner's own when the revision is gone."""
    found = cluster.store.get(kinds.CONTROLLER_REVISION, namespace_of(owner), name)
    kept = found["data"]["spec"]["template"] if found else owner["spec"]["template"]
    return {key: value for key, value in kept.items() if key != "$patch"}


def forget_revisions(cluster: Cluster, owner: Object, in_use: Collection[str]) -> None:
    """Keep as many unused revisions as `revisionHistoryLimit` says."""
    known = cluster.store.owned_by(uid_of(owner), kinds.CONTROLLER_REVISION)
    unused = sorted((item for item in known if name_of(item) not in in_use), key=lambda item: int(item["revision"]))
    for item in unused[: max(0, len(unused) - int(owner["spec"]["revisionHistoryLimit"]))]:
        delete(cluster.store, kinds.CONTROLLER_REVISION, item, {})
