"""From a release's manifests to the objects exactly as they will be applied. Pure: no network, inputs untouched."""

import copy
import re
from collections.abc import Mapping, Sequence
from typing import Any

from deployments.targets.base import InvalidContent, Manifest, Work
from deployments.targets.kubernetes import objects
from deployments.targets.kubernetes.applying import scaling
from deployments.targets.kubernetes.rendering import guardrails, overrides, patches
from deployments.targets.kubernetes.rendering.shapes import shape_problems
from deployments.targets.kubernetes.secrecy import as_stored

_PATH_SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,252}")
_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")

# What the API server fills in: left over when a manifest was copied from a cluster, and refused in an apply.
SERVER_FIELDS = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
)
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

APPLY_ORDER = {
    ("", "Namespace"): 0,
    objects.DEFINITION: 1,
    ("scheduling.k8s.io", "PriorityClass"): 2,
    ("storage.k8s.io", "StorageClass"): 2,
    ("", "ResourceQuota"): 2,
    ("", "LimitRange"): 2,
    ("", "ServiceAccount"): 3,
    ("rbac.authorization.k8s.io", "ClusterRole"): 4,
    ("rbac.authorization.k8s.io", "Role"): 4,
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): 5,
    ("rbac.authorization.k8s.io", "RoleBinding"): 5,
    ("", "ConfigMap"): 6,
    ("", "Secret"): 6,
    ("", "PersistentVolume"): 7,
    ("", "PersistentVolumeClaim"): 7,
    ("", "Service"): 8,
}
WORKLOAD_ORDER, REST_ORDER = 9, 10


def render(work: Work) -> tuple[Manifest, ...]:
    """The objects in the order in which they are applied. Raises InvalidContent with every problem found."""
    problems = _namespace_problems(work.namespace)
    rendered: list[dict[str, Any]] = []
    for number, manifest in enumerate(work.manifests, start=1):
        found = _problems(manifest, number, work.namespace)
        problems += found
        if not found:
            rendered.append(_prepare(manifest, work, work.manifests))
    if not work.manifests:
        problems.append("The release holds no manifests, and this target is made from manifests.")
    problems += _duplicates(rendered)
    problems += _set_images(rendered, work.images)
    problems += overrides.apply_overrides(rendered, work.overrides)
    problems += patches.apply_patches(rendered, work.overrides.get("patches") or [])
    # Last, so that nothing which overrides and patches bring goes past them.
    problems += guardrails.judge(rendered, work.guardrails, work.namespace)
    if problems:
        raise InvalidContent(problems)
    return tuple(sorted(_leaving_replicas(rendered), key=order))


def stamp(work: Work) -> tuple[Manifest, ...]:
    """`work.objects` with the marks of this deployment; everything else stays as it was rendered.

    The guardrails of today are asked again: they may have become stricter since the objects were rendered.
    """
    problems = guardrails.judge(work.objects, work.guardrails, work.namespace)
    if problems:
        raise InvalidContent(problems)
    return tuple(_prepare(item, work, work.objects) for item in work.objects)


def _leaving_replicas(rendered: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Where the release brings an autoscaler, the number of replicas is its business."""
    scalers = [item for item in rendered if objects.group_kind(item) == scaling.AUTOSCALER]
    return [scaling.without_replicas(item) if scaling.scaler_of(item, scalers) else item for item in rendered]


def _namespace_problems(namespace: str) -> list[str]:
    if _NAMESPACE.fullmatch(namespace):
        return []
    return [f"“{namespace[:63]}” is no namespace name. Change it on the target."]


def _problems(manifest: Manifest, number: int, namespace: str) -> list[str]:
    if not isinstance(manifest, Mapping) or not isinstance(manifest.get("metadata"), Mapping):
        return [f"Document {number} is no Kubernetes object: it needs apiVersion, kind and metadata.name."]
    kind, api_version = manifest.get("kind"), manifest.get("apiVersion")
    name = manifest["metadata"].get("name")
    if not (isinstance(kind, str) and kind and isinstance(api_version, str) and api_version):
        return [f"Document {number} is no Kubernetes object: it needs apiVersion, kind and metadata.name."]
    if kind.endswith("List") and "items" in manifest:
        return [f"Document {number} is a {kind}. Write its items as documents of their own."]
    if not isinstance(name, str) or not _PATH_SEGMENT.fullmatch(name):
        return [f"Document {number} ({kind}) needs a valid metadata.name; generateName is not supported."]
    return _scope_problems(manifest, namespace)


def _scope_problems(manifest: Manifest, namespace: str) -> list[str]:
    named = manifest["metadata"].get("namespace")
    title = objects.title(manifest)
    problems = [f"{title}: {problem}." for problem in shape_problems(manifest)]
    if named and named != namespace:
        problems.append(
            f"{title} names the namespace “{str(named)[:63]}”, but this target is “{namespace}”. "
            "Leave metadata.namespace out."
        )
    is_workload = objects.group_kind(manifest) in objects.POD_SPEC_PATHS
    if is_workload and not problems and not objects.containers(objects.pod_spec(manifest)):
        problems.append(f"{title} has no containers.")
    return problems


def annotated(item: Manifest, work: Work) -> dict[str, Any]:
    """A copy with the annotations that mark it as this deployment's.

    On the object only, never on its pod template: a changed template would be a new ReplicaSet, and a rollback could
    not use the old one again.
    """
    marked = copy.deepcopy(dict(item))
    meta = dict(marked["metadata"])
    meta["annotations"] = {**(meta.get("annotations") or {})} | {
        objects.DEPLOYMENT: work.deployment_id,
        objects.SEQUENCE: str(work.sequence),
        objects.RELEASE: f"{work.application} {work.version}",
        objects.TARGET: work.target_id,
    }
    return {**marked, "metadata": meta}


def _prepare(manifest: Manifest, work: Work, others: Sequence[Manifest]) -> dict[str, Any]:
    item = annotated(as_stored(manifest), work)
    item.pop("status", None)
    meta = {key: value for key, value in item["metadata"].items() if key not in SERVER_FIELDS}
    meta["annotations"].pop(LAST_APPLIED, None)
    if objects.is_cluster_scoped(manifest, [other for other in others if isinstance(other, Mapping)]):
        meta.pop("namespace", None)
    else:
        meta["namespace"] = work.namespace
    meta["labels"] = {**(meta.get("labels") or {}), objects.MANAGED_BY: objects.MANAGER}
    item["metadata"] = meta
    return item


def _duplicates(rendered: Sequence[Manifest]) -> list[str]:
    seen: set[tuple[str, str, str]] = set()
    problems = []
    for item in rendered:
        key = objects.identity(item)
        if key in seen:
            problems.append(f"{objects.title(item)} is in the release twice. Keep one of them.")
        seen.add(key)
    return problems


def _set_images(rendered: Sequence[dict[str, Any]], images: Mapping[str, str]) -> list[str]:
    used = set()
    problems = []
    for item in rendered:
        for container in objects.containers(objects.pod_spec(item)):
            name = str(container.get("name", ""))
            if name in images:
                container["image"] = images[name]
                used.add(name)
            elif not container.get("image"):
                problems.append(
                    f"{objects.title(item)}: container “{name[:63]}” has no image, and the release names none."
                )
    unused = sorted(set(images) - used)
    if unused:
        problems.append(
            f"No workload has a container named {', '.join(f'“{name[:63]}”' for name in unused)}, "
            "so the release's image for it would go nowhere."
        )
    return problems


def order(item: Manifest) -> int:
    """The place of an object's kind in the order in which kinds depend on each other."""
    if objects.group_kind(item) in objects.POD_SPEC_PATHS:
        return WORKLOAD_ORDER
    return APPLY_ORDER.get(objects.group_kind(item), REST_ORDER)
